import { expect, test } from 'vitest';
import { createFingerprint } from '../../src/platform/fingerprint.ts';

test('a fingerprint is HalfSipHash-2-4', () => {
  const fingerprint = createFingerprint(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]));
  const bytes = Buffer.from(Array.from({ length: 10 }, (_, byte) => byte));
  // From its authors' reference: what it makes of the first 0, 2, 4 … of these bytes.
  const known = [0x5b9f35a9, 0x03a662fa, 0x89466e2a, 0x23fc6358, 0x8f84b8d0, 0x3479b094];
  expect(known.map((_, n) => fingerprint(bytes.toString('utf16le', 0, 2 * n)))).toEqual(known);
});

test('another key makes another fingerprint', () => {
  const [one, other] = [Buffer.alloc(8, 1), Buffer.alloc(8, 2)].map(createFingerprint);
  expect(one?.('ada@sample.test')).not.toBe(other?.('ada@sample.test'));
});
