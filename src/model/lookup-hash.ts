import { createHash } from 'node:crypto';

/**
 * The hash that clients look addresses up by: unpadded URL-safe base64 of the SHA-256 of
 * `address medium pepper` (Identity Service API, "Security considerations" of lookup).
 */
export function lookupHash(address: string, medium: string, pepper: string): string {
  return createHash('sha256').update(`${address} ${medium} ${pepper}`, 'utf8').digest('base64url');
}
