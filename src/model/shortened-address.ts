import type { Medium } from './addresses.ts';

/** Of a local part so much longer than this is shown at its end, too. */
const LONG = 4;

/** An address as its owner knows it again, and nobody else learns it: `g…e@example.org`, `+…678`. */
export function shortenedAddress(medium: Medium, address: string): string {
  if (medium === 'msisdn') return `+…${address.slice(-3)}`;
  const at = address.lastIndexOf('@');
  const local = [...address.slice(0, at)];
  const last = local.length >= LONG ? local.at(-1) : '';
  return `${local[0] ?? ''}…${last}${address.slice(at)}`;
}
