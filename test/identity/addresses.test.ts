import { describe, expect, test } from 'vitest';
import {
  foldAddress,
  hashedSpellings,
  isEmailAddress,
  parseThreePid,
} from '../../src/identity/addresses.ts';
import { foldCase } from '../../src/identity/case-folding.ts';
import { lookupHash } from '../../src/identity/hashing.ts';

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
  ])('%j is none', (address) => {
    expect(isEmailAddress(address)).toBe(false);
  });
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
