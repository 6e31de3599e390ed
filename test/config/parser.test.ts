import { describe, expect, test } from 'vitest';
import { parseIni } from '../../src/config/parser.ts';

// What is expected here was taken from Python 3.11's configparser.
describe('reading INI files as Python does', () => {
  test.each<[string, string, Record<string, string>]>([
    [
      'both delimiters, the first wins',
      'a = b:c\nd: e=f\ng == h',
      { a: 'b:c', d: 'e=f', g: '= h' },
    ],
    ['keys in any case', 'Key.NAME = Value', { 'key.name': 'Value' }],
    ['comments are whole lines', '# x\na = 1 # c\n ; y\nb = 2 ; d', { a: '1 # c', b: '2 ; d' }],
    ['indented lines go on', 'a = 1\n  2\n\t3 = 4\nb = x', { a: '1\n2\n3 = 4', b: 'x' }],
    ['over empty lines too', 'a = 1\n\n  2\n\nb = x', { a: '1\n\n2', b: 'x' }],
    ['but not over comments', 'a = 1\n# c\n  2', { a: '1\n2' }],
    ['an empty value is one', 'a =\nb =\n  x', { a: '', b: '\nx' }],
    ['keys can hold spaces', 'a key here = 1', { 'a key here': '1' }],
    ['line ends of all kinds', 'a = 1\r\nb = 2\rc = 3', { a: '1', b: '2', c: '3' }],
    ['interpolation', 'a = 1\nb = %(a)s%(A)s%%', { a: '1', b: '11%' }],
    [
      'interpolation of what is interpolated',
      'a = %(b)s\nb = %(c)s\nc = x',
      { a: 'x', b: 'x', c: 'x' },
    ],
  ])('%s', (_what, text, expected) => {
    const ini = parseIni(`[s]\n${text}\n`);
    const read = Object.fromEntries(ini.keys('s').map((key) => [key, ini.get('s', key)]));
    expect(read).toEqual(expected);
  });

  test('DEFAULT serves every section, whose own values win', () => {
    const ini = parseIni('[DEFAULT]\na = 1\nb = 2\n[s]\nb = %(a)s3\n[t]\na = 9\nc = %(b)s');
    expect(ini.get('s', 'a')).toBe('1');
    expect(ini.get('s', 'b')).toBe('13');
    expect(ini.get('nowhere', 'b')).toBe('2');
    expect(ini.get('t', 'c')).toBe('2');
    expect(ini.sections).toEqual(['s', 't']);
  });

  test('white space is what Python takes for it', () => {
    const text = '\ufeff[s]\n\u00a0\u2003a\x1c = \x85\ufeffx\u3000\n[t]\u2028]\n\ufeffb = 1\n';
    const ini = parseIni(text);
    expect(ini.getRaw('s', 'a')).toBe('\ufeffx');
    expect(ini.sections).toEqual(['s', 't]\u2028']);
    expect(ini.keys('t]\u2028')).toEqual(['\ufeffb']);
  });

  test('section names have a case, and anything may follow the bracket', () => {
    expect(parseIni('[S] x\na = 1\n[s]\na = 2').get('S', 'a')).toBe('1');
  });

  test('raw values are left alone', () => {
    const ini = parseIni('[s]\na = 5% %(x)s %%');
    expect(ini.getRaw('s', 'a')).toBe('5% %(x)s %%');
    expect(() => ini.get('s', 'a')).toThrow('[s] a: a % must be written %%');
  });

  test.each([
    ['a = 1', 'line 1: "a = 1" stands before the first [section]'],
    ['[s]\na', 'line 2: "a" has neither = nor :'],
    ['[s]\n= 1', 'line 2: "= 1" has no key'],
    ['[s]\na = 1\nA = 2', 'line 3: a is there twice in section [s]'],
    ['[s]\n[t]\n[s]', 'line 3: section [s] is there twice'],
  ])('%j is refused', (text, message) => {
    expect(() => parseIni(text)).toThrow(message);
  });

  test.each([
    ['a = %(b)s', '%(b)s names a key that is not there'],
    ['a = %(a)s', 'too deeply'],
    ['a = 50%', 'a % must be written %%'],
    ['a = %(b', 'a % must be written %%'],
  ])('%j cannot be interpolated', (text, message) => {
    expect(() => parseIni(`[s]\n${text}`).get('s', 'a')).toThrow(message);
  });
});
