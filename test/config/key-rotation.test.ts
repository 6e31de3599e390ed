import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseIni } from '../../src/config/parser.ts';
import { withRotatedKey } from '../../src/config/signing-key-lines.ts';

const NEW = 'ed25519 new BBBB';
const FORMER = 'ed25519 0 AAAA';
const rotated = (text: string) => withRotatedKey(text, NEW, FORMER);

describe('a rotated key in the configuration', () => {
  test.each([
    [
      'a file of Sydent',
      '[crypto]\ned25519.signingkey = ed25519 0 AAAA\n\n[email]\na = b\n',
      '[crypto]\ned25519.signingkey = ed25519 new BBBB\ned25519.old_signing_keys = ed25519 0 AAAA\n\n[email]\na = b\n',
    ],
    [
      'the last line, without an end',
      '[crypto]\r\n  ed25519.signingkey: ed25519 0 AAAA',
      '[crypto]\r\n  ed25519.signingkey = ed25519 new BBBB\r\n  ed25519.old_signing_keys = ed25519 0 AAAA\r\n',
    ],
    [
      'an empty list, as a first start writes it',
      '[crypto]\ned25519.signingkey = ed25519 0 AAAA\n# c\ned25519.old_signing_keys =\n',
      '[crypto]\ned25519.signingkey = ed25519 new BBBB\n# c\ned25519.old_signing_keys =\n    ed25519 0 AAAA\n',
    ],
    [
      'a list with keys beside its name and below',
      '[crypto]\ned25519.signingkey = ed25519 0 AAAA\ned25519.old_signing_keys = ed25519 x CCCC\n  ed25519 y DDDD\n',
      '[crypto]\ned25519.signingkey = ed25519 new BBBB\ned25519.old_signing_keys =\n    ed25519 0 AAAA\n    ed25519 x CCCC\n  ed25519 y DDDD\n',
    ],
    [
      'a key that serves every section',
      '[DEFAULT]\ned25519.signingkey = ed25519 0 AAAA\nz = 1\n[crypto]\n',
      '[DEFAULT]\ned25519.signingkey = ed25519 new BBBB\ned25519.old_signing_keys = ed25519 0 AAAA\nz = 1\n[crypto]\n',
    ],
  ])('%s', (_what, before, after) => {
    expect(rotated(before)).toBe(after);
  });

  test('changes nothing else, wherever the lines stand', () => {
    const line = fc.constantFrom(
      '',
      '# c',
      'a = 1',
      '  b = 2',
      '    c',
      '[email]',
      '  [crypto]',
      ' ed25519.old_signing_keys:',
      'ed25519.old_signing_keys = ed25519 x CCCC',
      '[DEFAULT]',
      'ed25519.old_keys =',
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 8 }),
        fc.array(line, { maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        (above, below, newline) => {
          const before = [...above, `ed25519.signingkey = ${FORMER}`, ...below].join(newline);
          let ini: ReturnType<typeof parseIni>;
          try {
            ini = parseIni(before);
          } catch {
            return;
          }
          if (ini.get('crypto', 'ed25519.signingkey') !== FORMER) return;
          const members = (of: ReturnType<typeof parseIni>) =>
            (of.get('crypto', 'ed25519.old_signing_keys') ?? '').split('\n').filter((one) => one);
          const after = parseIni(rotated(before));
          expect(after.get('crypto', 'ed25519.signingkey')).toBe(NEW);
          expect(members(after)).toEqual([FORMER, ...members(ini)]);
          for (const section of ini.sections) {
            for (const key of ini.keys(section)) {
              if (/signing_?key/.test(key)) continue;
              expect(after.getRaw(section, key)).toBe(ini.getRaw(section, key));
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
