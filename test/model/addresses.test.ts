import { domainToASCII } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  foldAddress,
  hashedSpellings,
  isEmailAddress,
  mailboxOf,
  parseThreePid,
} from '../../src/model/addresses.ts';
import { foldCase } from '../../src/model/case-folding.ts';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { quickestWork } from '../support/time.ts';

describe('case folding', () => {
  test.each([
    ['Strauß@Example.ORG', 'strauss@example.org'],
    ['STRAUẞ', 'strauss'],
    ['Ὀδυσσεύς', 'ὀδυσσεύσ'],
    ['ΜΆΪΟΣ', 'μάϊοσ'],
    ['İstanbul', 'i̇stanbul'],
    ['ısparta', 'ısparta'],
    ['ﬃ', 'ffi'],
    ['K', 'k'],
    ['ſ', 's'],
    ['ᾳ', 'αι'],
    ['ᾼ', 'αι'],
    ['ᾮ', 'ὦι'],
    ['ꮜ', 'Ꮜ'],
    ['ᏸ', 'Ᏸ'],
    ['𐐀', '𐐨'],
    ['日本', '日本'],
  ])('%s folds to %s', (text, folded) => {
    expect(foldCase(text)).toBe(folded);
  });

  test('a folded text folds to itself, for every character there is', () => {
    for (let code = 0; code <= 0x10ffff; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const folded = foldCase(String.fromCodePoint(code));
      if (foldCase(folded) !== folded) expect.fail(code.toString(16));
    }
  });

  test('characters that differ only in case fold to the same', () => {
    // Dotted and dotless i fold apart (Turkish) though upper-casing merges them; so do a few
    // Greek and Armenian forms that JavaScript upper-cases without the mark below.
    for (let code = 0; code <= 0xffff; code++) {
      const character = String.fromCodePoint(code);
      const lower = character.toLowerCase();
      if (code >= 0xd800 && code <= 0xdfff) continue;
      if (lower !== character && [...lower].length === 1 && lower.toUpperCase() === character) {
        if (foldCase(character) !== foldCase(lower)) expect.fail(code.toString(16));
      }
    }
  });
});

describe('email addresses', () => {
  test.each([
    'a@b',
    'ada@sample.test',
    'first.last+tag@sub.domain.example',
    "o'brien!#$%&*/=?^_`{|}~-@example.org",
    'two..dots.@docomo.example',
    'jürgen@münchen.example',
    '用户@例子.公司',
    'user@xn--mnchen-3ya.example',
  ])('%s is one', (address) => {
    expect(isEmailAddress(address)).toBe(true);
  });

  test.each([
    '',
    '@',
    'notanemail',
    'a@',
    '@b',
    'a b@c',
    'a@b c',
    'a@b@c',
    'Ada <ada@sample.test>',
    '<ada@sample.test>',
    'ada@sample.test, eve@sample.test',
    'ada@sample.test\r\nBcc: eve@sample.test',
    'ada\0@sample.test',
    '"ada"@sample.test',
    'ada(comment)@sample.test',
    'ada@[127.0.0.1]',
    'ada@-sample.test',
    'ada@sample..test',
    'ada@sample.test.',
    'ada\u202e@sample.test',
    'ada\u00a0b@sample.test',
    'a\ud800@b',
    `a@${'x'.repeat(64)}.test`,
    // What DNS would be asked for: `(1).test`, `x0,eve.test`, and a label of more than 63 characters.
    'ada@\u2474.test',
    'ada@x\u{1f101}eve.test',
    `ada@${'é'.repeat(60)}.test`,
    'ada@xn--ü.test',
  ])('%j is none', (address) => {
    expect(isEmailAddress(address)).toBe(false);
  });
});

describe('folding an address', () => {
  test.each([
    ['Ada@Faß.example', 'ada@fass.example'],
    ['Ada@XN--FA-HIA.example', 'ada@xn--fa-hia.example'],
    ['ada@xn--fa-hia.BÜCHER.example', 'ada@fass.bücher.example'],
    ['Ada@XN--BCHER-KVA.Example', 'ada@bücher.example'],
    ['ada@sub.xn--bcher-kva.example', 'ada@sub.bücher.example'],
    // Invalid, of a letter that no address has, or of two domains in one: they stay.
    ['ada@xn--zzzz.example', 'ada@xn--zzzz.example'],
    ['ada@XN--.example', 'ada@xn--.example'],
    ['ada@xn--ls8h.example', 'ada@xn--ls8h.example'],
    ['ada@xn--bcher-kva.1', 'ada@xn--bcher-kva.1'],
    ['ada@xn--fa-hia.xn--bcher-kva.example', 'ada@xn--fa-hia.xn--bcher-kva.example'],
    ['ada@xn--bcher-kva.example/x', 'ada@xn--bcher-kva.example/x'],
    ['xn--bcher-kva@one.example', 'xn--bcher-kva@one.example'],
    ['ada@bu\u0308cher.example', 'ada@bücher.example'],
    ['ada@a\u034fb.example', 'ada@ab.example'],
    ['ada@İ.example', 'ada@i\u0307.example'],
    ['u\u0308@one.example', 'u\u0308@one.example'],
    // No domains: nothing of them is cut off or decoded.
    ['ada@é.example/x', 'ada@é.example/x'],
    ['ada@é.example?x', 'ada@é.example?x'],
    ['ada@é%41.example', 'ada@é%41.example'],
    ['ada@é.example:80', 'ada@é.example:80'],
    ['ada@\u2474É.example', 'ada@\u2474é.example'],
  ])('%s becomes %s', (address, folded) => {
    expect(foldAddress('email', address)).toBe(folded);
    expect(foldAddress('email', folded)).toBe(folded);
  });

  test('leaves a domain that mail reaches, whichever letter is in it', () => {
    for (let code = 0x80; code <= 0x10ffff; code++) {
      const letter = String.fromCodePoint(code);
      if (!/[\p{L}\p{M}\p{N}]/u.test(letter)) continue;
      const address = parseThreePid('email', `a@x${letter}y.test`)?.address;
      if (address === undefined) continue;
      const ascii = domainToASCII(address.slice(2));
      if (!/^[a-z0-9-]+\.test$/.test(ascii)) expect.fail(code.toString(16));
      if (foldAddress('email', address) !== address) expect.fail(code.toString(16));
    }
  });

  test('takes no longer than the text is long', async () => {
    const marks = `ada@e${'\u0301\u0316'.repeat(4000)}`;
    const letters = Array.from({ length: 5000 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    const time = await quickestWork(() => {
      for (let i = 0; i < 20; i++) {
        foldAddress('email', marks);
        foldAddress('email', `ada@${letters.join('')}`);
      }
    });
    // Encoding such domains takes ten times as long.
    expect(time).toBeLessThan(600);
  });
});

test.each([
  ['Ada@XN--BCHER-KVA.example', 'Ada@XN--BCHER-KVA.example'],
  ['Ada@Bücher.example', 'Ada@Bücher.example'],
  ['Straße@xn--bcher-kva.example', 'strasse@bücher.example'],
  ['Ada@faß.example', 'ada@fass.example'],
  ['Ada@xn--fa-hia.example', 'Ada@xn--fa-hia.example'],
])('mail for %s goes to %s', (typed, to) => {
  const threepid = parseThreePid('email', typed);
  expect(threepid && mailboxOf(threepid)).toBe(to);
});

test('an address that folding makes too long is none', () => {
  expect(parseThreePid('email', `ada@${'ß'.repeat(31)}.test`)?.address).toHaveLength(71);
  expect(parseThreePid('email', `ada@${'ß'.repeat(32)}.test`)).toBeUndefined();
});

test('an address is found by its folded, its lower-cased and its typed spelling', () => {
  const threepid = parseThreePid('email', 'Strauß@Example.org');
  expect(threepid).toEqual({
    medium: 'email',
    address: 'strauss@example.org',
    typed: 'Strauß@Example.org',
  });
  expect(threepid && hashedSpellings(threepid)).toEqual([
    'strauss@example.org',
    'strauß@example.org',
    'Strauß@Example.org',
  ]);
});

test('phone numbers are taken as they are', () => {
  expect(parseThreePid('msisdn', '4915123456789')?.address).toBe('4915123456789');
  expect(parseThreePid('msisdn', '+4915123456789')).toBeUndefined();
  expect(parseThreePid('msisdn', '0123')).toBeUndefined();
  expect(parseThreePid('carrier-pigeon', 'x')).toBeUndefined();
  expect(foldAddress('msisdn', '44ABC')).toBe('44ABC');
});

test('the lookup hash is the one of the specification', () => {
  // Client-Server examples of the specification's lookup section.
  expect(lookupHash('alice@example.com', 'email', 'matrixrocks')).toBe(
    '4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc',
  );
  expect(lookupHash('bob@example.com', 'email', 'matrixrocks')).toBe(
    'LJwSazmv46n0hlMlsb_iYxI0_HXEqy_yj6Jm636cdT8',
  );
  expect(lookupHash('18005552067', 'msisdn', 'matrixrocks')).toBe(
    'nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I',
  );
});
