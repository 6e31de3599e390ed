import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/signing/base64.ts';
import { CanonicalJsonError, canonicalJson } from '../../src/signing/canonical-json.ts';
import { keyPairFromSeed, verifySignature } from '../../src/signing/ed25519.ts';
import { signJson, verifySignedJson } from '../../src/signing/signed-json.ts';

const seed = decodeBase64('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1') ?? new Uint8Array();
const pair = keyPairFromSeed(seed);

describe('canonical JSON', () => {
  test.each([
    [{}, '{}'],
    [{ one: 1, two: 'Two' }, '{"one":1,"two":"Two"}'],
    [{ b: '2', a: '1' }, '{"a":"1","b":"2"}'],
    [
      { auth: { success: true, mxid: '@john.doe:example.com', profile: { three_pids: [] } } },
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"three_pids":[]},"success":true}}',
    ],
    [{ a: '日本語' }, '{"a":"日本語"}'],
    [{ 本: 2, 日: 1 }, '{"日":1,"本":2}'],
    [{ a: '\u65E5' }, '{"a":"日"}'],
    [{ a: null }, '{"a":null}'],
    [{ a: -0, b: 1e10 }, '{"a":0,"b":10000000000}'],
    ['\b\f\n\r\t"\\\u001f\u007f\u2028', '"\\b\\f\\n\\r\\t\\"\\\\\\u001f\u007f\u2028"'],
    // By code points U+FF61 comes before U+1F600; by UTF-16 units it would come after.
    [{ '\u{1f600}': 1, '｡': 2 }, '{"｡":2,"\u{1f600}":1}'],
    [{ __proto__: null, aa: 1, a: 2 }, '{"a":2,"aa":1}'],
  ])('%j', (value, expected) => {
    expect(canonicalJson(value)).toBe(expected);
  });

  test.each([
    [{ a: 1.5 }, '$.a'],
    [[2 ** 53], '$[0]'],
    [{ a: Number.NaN }, '$.a'],
    [{ a: { b: undefined } }, '$.a.b'],
    ['\ud800', '$'],
    [{ '\udc00': 1 }, '$.'],
    [new Date(0), '$'],
    [10n, '$'],
  ])('refuses %s, naming the place', (value, place) => {
    expect(() => canonicalJson(value)).toThrow(CanonicalJsonError);
    expect(() => canonicalJson(value)).toThrow(place);
  });

  test('refuses deep nesting instead of running out of stack', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => canonicalJson(deep)).toThrow('nested too deeply');
  });

  test('says the same value, whatever the order of keys', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.maxSafeInteger(),
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('any')),
        fc.dictionary(fc.string(), tie('any')),
      ),
    })).any;
    fc.assert(
      fc.property(value, (original) => {
        const text = canonicalJson(original);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });
});

describe('signed JSON', () => {
  test.each([
    [{}, 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'],
    [
      { one: 1, two: 'Two' },
      'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
    ],
  ])('%j signs as the specification says', (object, signature) => {
    const signed = signJson(object, 'domain', 'ed25519:1', pair.sign);
    expect(signed).toEqual({ ...object, signatures: { domain: { 'ed25519:1': signature } } });
    expect(verifySignedJson(signed, 'domain', 'ed25519:1', pair.publicKey)).toBe(true);
  });

  test('keeps other signatures and leaves `unsigned` out', () => {
    const other = { signatures: { else: { 'ed25519:a': 'xyz' } }, unsigned: { age: 1 }, a: 1 };
    const signed = signJson(other, 'domain', 'ed25519:1', pair.sign);
    expect(Object.keys(signed.signatures)).toEqual(['else', 'domain']);
    expect(
      verifySignedJson({ ...signed, unsigned: {} }, 'domain', 'ed25519:1', pair.publicKey),
    ).toBe(true);
    expect(other.signatures).not.toHaveProperty('domain');
  });

  test('a changed object, another name, key or key id does not verify', () => {
    const signed = signJson({ a: 1 }, 'domain', 'ed25519:1', pair.sign);
    const other = keyPairFromSeed(new Uint8Array(32));
    const { publicKey } = pair;
    expect(verifySignedJson({ ...signed, a: 2 }, 'domain', 'ed25519:1', publicKey)).toBe(false);
    expect(verifySignedJson(signed, 'domain2', 'ed25519:1', publicKey)).toBe(false);
    expect(verifySignedJson(signed, 'domain', 'ed25519:2', publicKey)).toBe(false);
    expect(verifySignedJson(signed, 'domain', 'ed25519:1', other.publicKey)).toBe(false);
    expect(verifySignedJson({ ...signed, b: 1.5 }, 'domain', 'ed25519:1', publicKey)).toBe(false);
    for (const signatures of [null, 1, [], { domain: null }, { domain: { 'ed25519:1': 7 } }]) {
      expect(verifySignedJson({ a: 1, signatures }, 'domain', 'ed25519:1', publicKey)).toBe(false);
    }
  });

  test('keys and signatures that are none are refused, not thrown about', () => {
    expect(verifySignature(new Uint8Array(31), 'x', new Uint8Array(64))).toBe(false);
    expect(verifySignature(pair.publicKey, 'x', new Uint8Array(3))).toBe(false);
    expect(() => keyPairFromSeed(new Uint8Array(31))).toThrow(RangeError);
  });
});

test.each([
  ['', 0],
  ['YQ', 1],
  ['YQ==', 1],
  ['-_-_', 3],
  ['+/+/', 3],
])('base64 %j is %i bytes', (text, length) => {
  expect(decodeBase64(text)?.length).toBe(length);
});

test.each(['Y', 'YQ=Q', '+_AA', 'Y Q', 'YQ===', 'é'])('base64 %j is refused', (text) => {
  expect(decodeBase64(text)).toBeUndefined();
});

test('base64 goes there and back', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(Buffer.from(decodeBase64(encodeBase64(bytes)) ?? [])).toEqual(Buffer.from(bytes));
    }),
  );
});
