import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** Keeps short texts secret from whoever can read, or write, what holds them. */
export interface Seal {
  /**
   * @param about what the text belongs to: sealed for one thing, it opens for no other
   * @param nonce 12 random bytes
   */
  seal(text: string, about: string, nonce: Uint8Array): string;
  /** Undefined where it was sealed by another key, for something else, or was changed. */
  open(sealed: string, about: string): string | undefined;
}

const CIPHER = 'aes-256-gcm';
const KEY_LENGTH = 32;
export const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

/**
 * AES-256-GCM by a key of its own, which is derived (HKDF-SHA256) from a signing key's seed, so that signatures and what is
 * sealed tell nothing of each other.
 * @param use what is sealed: other uses have other keys
 */
export function createSeal(seed: Uint8Array, use: string): Seal {
  const key = Buffer.from(hkdfSync('sha256', seed, '', `cognomen ${use}`, KEY_LENGTH));
  return {
    seal(text, about, nonce) {
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_LENGTH });
      cipher.setAAD(Buffer.from(about));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat(parts).toString('base64url');
    },
    open(sealed, about) {
      const bytes = Buffer.from(sealed, 'base64url');
      if (bytes.length < NONCE_LENGTH + TAG_LENGTH) return undefined;
      const nonce = bytes.subarray(0, NONCE_LENGTH);
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_LENGTH });
      decipher.setAAD(Buffer.from(about));
      decipher.setAuthTag(bytes.subarray(-TAG_LENGTH));
      try {
        const text = decipher.update(bytes.subarray(NONCE_LENGTH, -TAG_LENGTH));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
  };
}
