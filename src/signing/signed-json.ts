import { decodeBase64, encodeBase64 } from './base64.ts';
import { canonicalJson } from './canonical-json.ts';
import { type Verifier, verifySignature } from './ed25519.ts';
import { isObject } from './json.ts';

/** Server name → key id → signature, unpadded base64. */
export type Signatures = Record<string, Record<string, string>>;

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

/** Says whether one object holds a server's signature with a key. */
export type SignatureChecker = (
  serverName: string,
  keyId: string,
  publicKey: Uint8Array,
) => boolean;

/** Checks the signatures of an object; what they sign is made once, however many there are. */
export function signatureChecker(object: object): SignatureChecker {
  const all = 'signatures' in object ? object.signatures : undefined;
  let message: string | undefined;
  let unsignable = false;
  return (serverName, keyId, publicKey) => {
    const byServer = isObject(all) && Object.hasOwn(all, serverName) ? all[serverName] : undefined;
    const encoded = isObject(byServer) ? byServer[keyId] : undefined;
    const signature = typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
    if (signature === undefined || unsignable) return false;
    try {
      message ??= signedPart(object);
    } catch {
      unsignable = true;
      return false;
    }
    return verifySignature(publicKey, message, signature);
  };
}

/** Whether the object holds that server's signature with that key. */
export const verifySignedJson = (object: object, ...signature: Parameters<SignatureChecker>) =>
  signatureChecker(object)(...signature);

/** Nobody signs one object with more keys. */
const MAX_SIGNATURES = 10;

/** Characters of a key id: no honest one is as long. */
const LONGEST_KEY_ID = 64;

/**
 * Of that server's ed25519 signatures in the object, under whatever key id and its name in whatever case, those
 * that fit one of the keys; undefined when none does.
 */
export async function fittingSignatures(
  object: object,
  serverName: string,
  verifiers: readonly Verifier[],
): Promise<Signatures | undefined> {
  const all = 'signatures' in object ? object.signatures : undefined;
  const signatures = Object.entries(isObject(all) ? all : {})
    .filter(([name]) => name.toLowerCase() === serverName.toLowerCase())
    .flatMap(([name, byServer]) =>
      Object.entries(isObject(byServer) ? byServer : {}).map(([keyId, text]) => ({
        name,
        keyId,
        text,
      })),
    )
    .filter(({ keyId }) => keyId.startsWith('ed25519:') && keyId.length <= LONGEST_KEY_ID)
    .slice(0, MAX_SIGNATURES);
  if (signatures.length === 0) return undefined;
  try {
    const message = signedPart(object);
    // The same stands under several ids where a server signs for those who know one of them only.
    const checked = new Map<unknown, boolean>();
    const fits = async (text: unknown) => {
      const signature = typeof text === 'string' ? decodeBase64(text) : undefined;
      if (signature === undefined) return false;
      for (const isOfKey of verifiers) if (await isOfKey(message, signature)) return true;
      return false;
    };
    const fitting: Signatures = {};
    for (const { name, keyId, text } of signatures) {
      if (!checked.has(text)) checked.set(text, await fits(text));
      if (checked.get(text)) fitting[name] = { ...fitting[name], [keyId]: String(text) };
    }
    return Object.keys(fitting).length > 0 ? fitting : undefined;
  } catch {
    return undefined;
  }
}
