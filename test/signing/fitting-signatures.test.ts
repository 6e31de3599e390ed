import { describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/signing/base64.ts';
import { createVerifier, keyPairFromSeed, verifySignature } from '../../src/signing/ed25519.ts';
import { fittingSignatures, signatureChecker, signJson } from '../../src/signing/signed-json.ts';

const pairOf = (byte: number) => keyPairFromSeed(new Uint8Array(32).fill(byte));
const [own, other] = [pairOf(1), pairOf(2)];
const verifierOf = (pair: typeof own) => {
  const verifier = createVerifier(pair.publicKey);
  if (verifier === undefined) throw new Error('This is a key');
  return verifier;
};
const verifiers = [verifierOf(other), verifierOf(own)];

const object = { address: 'ada@one.test' };
const signed = signJson(object, 'one.test', 'ed25519:0', own.sign);
const signature = signed.signatures['one.test']?.['ed25519:0'] ?? '';
const withSignatures = (signatures: unknown, more: object = {}) => ({
  ...object,
  ...more,
  signatures,
});
const fitting = (signatures: unknown, more?: object) =>
  fittingSignatures(withSignatures(signatures, more), 'one.test', verifiers);

describe('of the signatures of a server', () => {
  test('those that fit are found, under any key id and its name in any case', async () => {
    const found = { 'One.Test': { 'ed25519:0': signature, 'ed25519:abc': signature } };
    expect(await fitting({ ...found, 'two.test': { 'ed25519:0': signature } })).toEqual(found);
    expect(await fitting(signed.signatures, { unsigned: 1 })).toEqual(signed.signatures);
  });

  test('those that do not fit are left out', async () => {
    const wrong = encodeBase64(own.sign('something else'));
    const both = { 'one.test': { 'ed25519:0': signature, 'ed25519:1': wrong } };
    expect(await fitting(both)).toEqual({ 'one.test': { 'ed25519:0': signature } });
  });

  test.each([
    ['none at all', undefined],
    ['no object', 'x'],
    ['of another server', { 'two.test': { 'ed25519:0': signature } }],
    ['of another algorithm', { 'one.test': { 'rsa:ed25519:0': signature } }],
    ['that is no text', { 'one.test': { 'ed25519:0': 7 } }],
    ['that is not base64', { 'one.test': { 'ed25519:0': '!' } }],
    ['in a list', { 'one.test': [signature] }],
    [
      'under a key id of 65 characters',
      { 'one.test': { [`ed25519:${'a'.repeat(57)}`]: signature } },
    ],
  ])('none fits where there is one %s', async (_what, signatures) => {
    expect(await fitting(signatures)).toBeUndefined();
  });

  test('a key id of 64 characters is looked at, and the first ten of them', async () => {
    const longest = { [`ed25519:${'a'.repeat(56)}`]: signature };
    expect(await fitting({ 'one.test': longest })).toEqual({ 'one.test': longest });
    const wrong = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`ed25519:${index}`, 'AAAA']),
    );
    expect(await fitting({ 'one.test': { ...wrong, 'ed25519:a': signature } })).toBeUndefined();
  });

  test('none fits what cannot be signed, or another object, or another key', async () => {
    expect(await fitting(signed.signatures, { a: 1.5 })).toBeUndefined();
    expect(await fitting(signed.signatures, { a: 1 })).toBeUndefined();
    expect(await fittingSignatures(signed, 'one.test', [verifierOf(other)])).toBeUndefined();
    expect(await fittingSignatures(object, 'one.test', verifiers)).toBeUndefined();
  });
});

test('what cannot be signed has no signature, however often it is asked', () => {
  const check = signatureChecker(withSignatures(signed.signatures, { a: 1.5 }));
  expect(check('one.test', 'ed25519:0', own.publicKey)).toBe(false);
  expect(check('one.test', 'ed25519:0', own.publicKey)).toBe(false);
  expect(signatureChecker(signed)('toString', 'ed25519:0', own.publicKey)).toBe(false);
});

test('a signature made in another thread is the same, and is checked there as well', async () => {
  expect(encodeBase64(await own.signAside('word'))).toBe(encodeBase64(own.sign('word')));
  const bytes = new TextEncoder().encode('word');
  expect(await verifierOf(own)(bytes, own.sign('word'))).toBe(true);
  expect(await verifierOf(other)('word', own.sign('word'))).toBe(false);
});

test.each([31, 33, 0])('a key of %d bytes is no key', (length) => {
  expect(() => keyPairFromSeed(new Uint8Array(length))).toThrow(RangeError);
  expect(createVerifier(new Uint8Array(length))).toBeUndefined();
  expect(verifySignature(new Uint8Array(length), 'word', own.sign('word'))).toBe(false);
});
