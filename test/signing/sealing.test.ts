import { expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import { createSeal, NONCE_LENGTH } from '../../src/signing/sealing.ts';

const SEED = Buffer.alloc(32, 1);
const nonce = () => secureRandom.bytes(NONCE_LENGTH);

test('what is sealed opens by the same key, for the same thing, and is never the same twice', () => {
  const { seal, open } = createSeal(SEED, 'tests');
  for (const text of ['', 'x', '{"privateKey":"ä€😀"}', 'x'.repeat(20_000)]) {
    const sealed = seal(text, 'token', nonce());
    expect(createSeal(SEED, 'tests').open(sealed, 'token')).toBe(text);
    expect(seal(text, 'token', nonce())).not.toBe(sealed);
    expect(open(sealed, 'other')).toBeUndefined();
    expect(createSeal(Buffer.alloc(32, 2), 'tests').open(sealed, 'token')).toBeUndefined();
    expect(createSeal(SEED, 'other').open(sealed, 'token')).toBeUndefined();
  }
});

test('what was changed, cut or never sealed does not open', () => {
  const { seal, open } = createSeal(SEED, 'tests');
  const sealed = Buffer.from(seal('a secret', 'token', nonce()), 'base64url');
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(open(changed.toString('base64url'), 'token')).toBeUndefined();
    expect(open(sealed.subarray(0, at).toString('base64url'), 'token')).toBeUndefined();
  }
  for (const text of ['', '????', 'not sealed at all, and longer than that']) {
    expect(open(text, 'token')).toBeUndefined();
  }
});
