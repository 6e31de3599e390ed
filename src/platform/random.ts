import { randomBytes, randomFillSync, randomInt } from 'node:crypto';

/** Where randomness comes from. Every method draws from a cryptographically secure source. */
export interface Random {
  bytes(length: number): Buffer;
  /** Letters (both cases) and digits. */
  alphanumeric(length: number): string;
  /** Decimal digits, leading zeros included. */
  digits(length: number): string;
  /** A whole number from 1 to 2^53 - 1. */
  integer53(): number;
  /** A number from 0 up to, not including, 1; for jitter. */
  fraction(): number;
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function pick(alphabet: string, length: number): string {
  let picked = '';
  for (let i = 0; i < length; i++) picked += alphabet.charAt(randomInt(alphabet.length));
  return picked;
}

export const secureRandom: Random = {
  bytes: (length) => randomBytes(length),
  alphanumeric: (length) => pick(ALPHANUMERIC, length),
  digits: (length) => pick('0123456789', length),
  integer53: () => {
    const drawn = randomBytes(8).readBigUInt64BE() >> 11n;
    return drawn === 0n ? 1 : Number(drawn);
  },
  fraction: () => randomInt(2 ** 32) / 2 ** 32,
};

const ID_DIGITS = 32;
const drawn = Buffer.alloc(4096);
let digits = '';
let used = 0;

/** 32 hexadecimal digits that nobody can guess. Drawn many at a time, as every request needs some. */
export function requestId(): string {
  if (used === digits.length) {
    digits = randomFillSync(drawn).toString('hex');
    used = 0;
  }
  used += ID_DIGITS;
  return digits.slice(used - ID_DIGITS, used);
}
