import { hash } from 'node:crypto';

/**
 * The hash that clients look addresses up by: unpadded URL-safe base64 of the SHA-256 of
 * `address medium pepper` (Identity Service API, "Security considerations" of lookup).
 */
export function lookupHash(address: string, medium: string, pepper: string): string {
  return hash('sha256', `${address} ${medium} ${pepper}`, 'base64url');
}
