import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bareWords } from '../../src/identity/invitations/bare-words.ts';
import { visibleText } from '../../src/identity/invitations/visible-text.ts';
import { quickestWork } from '../support/time.ts';

describe('what can be seen of a text', () => {
  test.each([
    ['family', '👨‍👩‍👧‍👦 and 👩🏽‍🚀, ❤️‍🔥, 🏳️‍🌈, 🕵🏻‍♂️, ☺︎'],
    ['flags', '🏴󠁧󠁢󠁥󠁮󠁧󠁿🏴󠁵󠁳󠁴󠁸󠁿🇩🇪🏴‍☠️'],
    ['keycaps', '1️⃣#️⃣'],
    ['Persian', 'می‌خواهم'],
    ['Hindi', 'क्‍ष क्‌ष'],
    ['Sinhala', 'ශ්‍රී ලංකා'],
    ['Malayalam at the end of a word', 'അവന്‍ പോയി'],
    ['Khmer', 'ខ្មែរ'],
    ['a name with a variant of its character', '葛\u{e0100}城'],
    ['Mongolian', 'ᠮᠣᠩᠭᠣᠯ᠎ᠠ ᠨ᠋ᠠ'],
    ['Korean of old', 'ᅟᅵ가'],
    ['Braille', '⠓⠑⠇⠇⠕⠀⠞⠓⠑⠗⠑'],
    ['many scripts', 'Zoë Жанна 世界 שָׁלוֹם مَرْحَبًا ไทย 한국어 ½ №5 €'],
  ])('is all of it: %s', (_what, text) => {
    expect(visibleText(text)).toBe(text);
  });

  test.each([
    ['controls and line ends', 'A\u0000d\r\na\u001b[31m\u0085\u2028', 'Ada[31m'],
    ['turned writing', '\u202eadA\u2066\u200f\u200e\u061c', 'adA'],
    ['nothing wide', 'A\u200bd\u2060a\ufeff\u00ad\u034f', 'Ada'],
    ['joiners in Latin', 'A\u200dd\u200ca\u200d', 'Ada'],
    ['joiners at an end', '\u200cمی\u200c', 'می'],
    ['joiners one after the other', 'می\u200c\u200cخ', 'میخ'],
    ['a joiner beside what is not seen', '\u17b4\u200c\u17b4', ''],
    ['a joiner without a second emoji', '👨\u200d👩\u200d', '👨‍👩'],
    ['variants of what has none', 'A\ufe0f1\ufe0f👍\ufe0f\ufe0f\u{e0101}', 'A1👍️'],
    ['blank letters', '\u3164\uffa0\u115f\u1160\u17b4 \u2800', ' '],
    ['tags that are no flag', 'A\u{e0041}\u{e0064}👍\u{e0067}\u{e007f}', 'A👍'],
    ['a text in a flag', `🏴${'\u{e0061}'.repeat(7)}\u{e007f}`, '🏴'],
    ['half a character', 'A\ud83d', 'A\ufffd'],
    ['notes for translators', '\ufff9A\ufffab\ufffb', 'Ab'],
  ])('is without %s', (_what, text, seen) => {
    expect(visibleText(text)).toBe(seen);
  });

  test('looked at again, is the same', () => {
    const unit = fc.constantFrom(
      'a',
      '1',
      'م',
      'क',
      '\u094d',
      '葛',
      'ᠮ',
      '⠓',
      'ᅵ',
      '👨',
      '🏴',
      '\u{1f3fb}',
      '\u17b4',
      '\u200c',
      '\u200d',
      '\ufe0f',
      '\ufe00',
      '\u{e0100}',
      '\u{e0067}',
      '\u{e007f}',
      '\u180e',
      '\u115f',
      '\u2800',
      '\u20e3',
      '\ud83d',
      '\udc68',
      '\n',
      '\u202e',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
        const seen = visibleText(text);
        expect(visibleText(seen)).toBe(seen);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a text in which nothing is to be a link', () => {
  test.each([
    ['https://evil.com/x', 'https evil com x'],
    ['see HTTPS://EVIL.com now', 'see HTTPS EVIL com now'],
    ['(x://y)', '(x y)'],
    ['matrix.org://', 'matrix org'],
    ['www.evil.example', 'www evil example'],
    ['WwW。evil', 'WwW evil'],
    ['Win at evil.com/prize!', 'Win at evil com prize!'],
    ['evil.com/', 'evil com'],
    ['evil.co.uk:8443/a.b', 'evil co uk 8443 a b'],
    ['evil.com./x', 'evil com x'],
    ['“evil.com/x”', '“evil com x”'],
    ['ada@evil.com/x', 'ada@evil com x'],
    ['пример.рф/х', 'пример рф х'],
    ['x.xn--p1ai/', 'x xn--p1ai'],
    ['evil．ＣＯＭ／x', 'evil ＣＯＭ x'],
    ['请看https://evil.com/x谢谢', '请看https evil com x谢谢'],
    ['a/b/evil.com/c', 'a b evil com c'],
    ['\\\\evil\\share', 'evil share'],
    ['https:\\\\evil.com', 'https evil com'],
  ])('%j keeps its words: %j', (text, words) => {
    expect(bareWords(text)).toBe(words);
  });

  test.each([
    'Node.js',
    'Booking.com',
    'Tea & biscuits: 1/2 price',
    'and/or',
    'Node.js/TypeScript',
    ...['v1.2/beta', '@ada:evil.com', '#room:example.org', 'a :/ b', ':-//', '.com/', 'com/x'],
    'Dr. No/Mr. X',
    'C:\\x',
    'https:',
    'ww.x',
    '  two  spaces  ',
    '9.30/10.15',
  ])('%j stays as it is', (text) => {
    expect(bareWords(text)).toBe(text);
  });

  test('is so for whoever looks for links', () => {
    const part = fc.constantFrom(
      ...[
        'http',
        'https',
        'www',
        'x',
        'com',
        'рф',
        'a',
        '1',
        ':',
        '/',
        '//',
        '://',
        '.',
        '。',
        '@',
      ],
      '\\',
      ' ',
      '(',
      '-',
      '／',
      '?',
      ':80',
      'ftp',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const words = bareWords(parts.join(''));
        expect(words).not.toMatch(/:\/\/|www\./i);
        expect(words).not.toMatch(/[a-zа-я0-9]\.(?:com|рф)\.?(?::\d{0,5})?\//i);
        expect(bareWords(words)).toBe(words);
        // Nothing is lost but what holds links together.
        const bare = (text: string) => text.replace(/[:/\\.。／\s]/g, '');
        expect(bare(words)).toBe(bare(parts.join('')));
      }),
      { numRuns: 5000 },
    );
  });
});

test('a long text of any kind takes time in proportion to it', async () => {
  const units = ['a.xx/', 'a.com', 'www', '://', '\u200c', '👨\u200d', 'م\u200c', ':1', '.', '/'];
  for (const unit of units) {
    // All that can come in one request.
    const text = unit.repeat(100_000 / unit.length);
    expect(await quickestWork(() => visibleText(bareWords(text))), unit).toBeLessThan(1000);
  }
});
