import { decodeBase64, encodeBase64 } from './base64.ts';
import { canonicalJson } from './canonical-json.ts';
import { verifySignature } from './ed25519.ts';

/** Server name → key id → signature, unpadded base64. */
export type Signatures = Record<string, Record<string, string>>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function signedPart(object: object): string {
  const {
    signatures: _signatures,
    unsigned: _unsigned,
    ...rest
  } = object as Record<string, unknown>;
  return canonicalJson(rest);
}

/**
 * The object with a signature added to those it has (specification, "Signing JSON").
 * @param keyId such as `ed25519:0`.
 * @throws CanonicalJsonError when the object holds what cannot be signed.
 */
export function signJson<T extends object>(
  object: T,
  serverName: string,
  keyId: string,
  sign: (message: string) => Uint8Array,
): T & { signatures: Signatures } {
  const existing = 'signatures' in object && isObject(object.signatures) ? object.signatures : {};
  const own = isObject(existing[serverName]) ? existing[serverName] : {};
  const signature = encodeBase64(sign(signedPart(object)));
  const signatures = { ...existing, [serverName]: { ...own, [keyId]: signature } } as Signatures;
  return { ...object, signatures };
}

/** Whether the object holds that server's signature with that key. */
export function verifySignedJson(
  object: object,
  serverName: string,
  keyId: string,
  publicKey: Uint8Array,
): boolean {
  const signatures = 'signatures' in object ? object.signatures : undefined;
  const byServer = isObject(signatures) ? signatures[serverName] : undefined;
  const encoded = isObject(byServer) ? byServer[keyId] : undefined;
  const signature = typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
  if (signature === undefined) return false;
  try {
    return verifySignature(publicKey, signedPart(object), signature);
  } catch {
    return false;
  }
}
