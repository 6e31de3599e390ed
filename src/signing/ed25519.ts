import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';

export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature, 64 bytes. */
  sign(message: Uint8Array | string): Uint8Array;
  /** The same in a thread beside, for those who have many to make. */
  signAside(message: Uint8Array | string): Promise<Uint8Array>;
}

// What stands before the bare key in its DER forms (RFC 8410).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_LENGTH = 32;

const bytesOf = (message: Uint8Array | string) =>
  typeof message === 'string' ? Buffer.from(message, 'utf8') : message;

/** @param seed 32 bytes. @throws RangeError for any other length. */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== KEY_LENGTH) throw new RangeError('An ed25519 seed has 32 bytes');
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: spki.subarray(SPKI_PREFIX.length),
    sign: (message) => sign(null, bytesOf(message), privateKey),
    signAside: (message) => promisify(sign)(null, bytesOf(message), privateKey),
  };
}

/** Says whether a signature is one key's of the message; works in a thread beside. */
export type Verifier = (message: Uint8Array | string, signature: Uint8Array) => Promise<boolean>;

function publicKeyObject(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== KEY_LENGTH) return undefined;
  try {
    const key = Buffer.concat([SPKI_PREFIX, publicKey]);
    return createPublicKey({ key, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** A key made ready for many signatures; undefined for bytes that are no key. */
export function createVerifier(publicKey: Uint8Array): Verifier | undefined {
  const key = publicKeyObject(publicKey);
  if (key === undefined) return undefined;
  return (message, signature) => promisify(verify)(null, bytesOf(message), key, signature);
}

/** Whether the signature is that key's of the message; false for a key or signature that is not one. */
export function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array | string,
  signature: Uint8Array,
): boolean {
  const key = publicKeyObject(publicKey);
  if (key === undefined) return false;
  try {
    return verify(null, bytesOf(message), key, signature);
  } catch {
    return false;
  }
}
