import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config/load.ts';
import { parseIni } from '../../src/config/parser.ts';
import { withSigningKey } from '../../src/config/signing-key-lines.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { temporaryFolder } from '../support/databases.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'sydent.conf');
});
afterEach(() => folder.remove());

const load = (env: Record<string, string> = {}) =>
  loadConfig({ files: [file], env, hostname: 'host.test', random: secureRandom });

describe('a missing file', () => {
  test('is written with live defaults, the name in force and a new key', async () => {
    const first = await load({ SYDENT_SERVER_NAME: 'id.test' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder.path)).toEqual(['sydent.conf']);
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/^server\.name = id\.test$/m);
    expect(text).toMatch(/^clientapi\.http\.port = 8090$/m);
    expect(text).toMatch(/^# prometheus_port =$/m);
    expect(text).toMatch(/^ed25519\.signingkey = ed25519 0 [A-Za-z0-9+/]{43}$/m);
    expect(text).toMatch(
      /^email\.invite\.subject = %\(sender_display_name\)s has invited you to chat$/m,
    );
    // Every live key has a comment right above it.
    const lines = text.split('\n');
    for (const [index, line] of lines.entries()) {
      if (/^[a-zA-Z0-9_.]+ =/.test(line)) expect(lines[index - 1]).toMatch(/^# \S/);
    }

    const again = await load();
    expect(again.config).toEqual(first.config);
    expect(again.config.crypto.signingKey.version).toBe('0');
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(again.warnings).not.toContain(expect.stringContaining('is not a key'));
  });

  test('a new file names this server as the sender, one without the key does not', async () => {
    expect((await load()).config.email.from).toMatch(/^Identity server (\S+) <noreply@\1>$/);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/^email\.from = .*$/m, ''));
    expect((await load()).config.email.from).toMatch(/^Sydent Validation <noreply@\S+>$/);
  });

  test('has mailed links ask for a click; a file without the key goes on as Sydent does', async () => {
    expect((await load()).config.http.pageAsksFirst).toBe(true);
    expect(await readFile(file, 'utf8')).toMatch(/^page\.ask_before_validation = true$/m);
    await writeFile(file, '[general]\nserver.name = id.test\n');
    expect((await load()).config.http.pageAsksFirst).toBe(false);
  });

  test('lets invitations link to the default web client only; a file without the key to others', async () => {
    const allowed = async () => (await load()).config.email.webClientAllowList;
    const { config } = await load();
    expect(await allowed()).toEqual([config.email.defaultWebClientLocation]);
    await writeFile(file, '[general]\nserver.name = id.test\n');
    expect(await allowed()).toEqual([]);
  });

  test('is written with what the environment says: from then on the file wins', async () => {
    const env = { SYDENT_DB_PATH: '/data/50%.db', SYDENT_PID_FILE: '/data/sydent.pid' };
    const first = await load(env);
    expect(first.config.db).toMatchObject({ file: '/data/50%.db' });
    expect(first.config.general.pidFile).toBe('/data/sydent.pid');
    expect((await load()).config).toEqual(first.config);
  });

  test('is written with what an empty variable says, where that says something', async () => {
    const env = { SYDENT_SERVER_NAME: '', SYDENT_DB_PATH: '', SYDENT_PID_FILE: '' };
    const { config } = await load(env);
    expect(config.general).toMatchObject({ serverName: 'host.test', pidFile: '' });
    expect(config.db).toMatchObject({ file: 'sydent.db' });
    expect(await readFile(file, 'utf8')).toMatch(/^pidfile\.path =$/m);
    expect((await load()).config).toEqual(config);
  });

  test('is not written while the environment is wrong', async () => {
    await expect(load({ SYDENT_SERVER_NAME: 'no name' })).rejects.toThrow(
      '[general] server.name = "no name" (from SYDENT_SERVER_NAME): must be a host name',
    );
    expect(await readdir(folder.path)).toEqual([]);
  });

  test('in a folder that is not there is said, and nothing is left behind', async () => {
    file = path.join(folder.path, 'missing', 'sydent.conf');
    await expect(load()).rejects.toThrow(/does not exist and cannot be written/);
    expect(await readdir(folder.path)).toEqual([]);
  });

  test('a folder in its place is said', async () => {
    await mkdir(file);
    await expect(load()).rejects.toThrow(ConfigError);
  });
});

describe('a file without a signing key', () => {
  const KEY = 'ed25519 0 AAAA';

  test.each([
    ['no section', '[general]\na = 1\n', '[general]\na = 1\n\n[crypto]\ned25519.signingkey = K\n'],
    ['no line end', '[general]\na = 1', '[general]\na = 1\n\n[crypto]\ned25519.signingkey = K\n'],
    ['an empty section', '[crypto]\n[db]\n', '[crypto]\ned25519.signingkey = K\n[db]\n'],
    ['a section at the end', '[db]\n[crypto]', '[db]\n[crypto]\ned25519.signingkey = K\n'],
    [
      'an empty key',
      '[crypto]\n# mine\nED25519.SigningKey: \nx = 1\n',
      '[crypto]\n# mine\ned25519.signingkey = K\nx = 1\n',
    ],
    [
      'CRLF',
      '[crypto]\r\ned25519.signingkey =\r\nx = 1\r\n',
      '[crypto]\r\ned25519.signingkey = K\r\nx = 1\r\n',
    ],
    ['CRLF, no section', '[db]\r\n', '[db]\r\n\r\n[crypto]\r\ned25519.signingkey = K\r\n'],
    [
      'indented keys',
      '[crypto]\n\n  # c\n  x = 1\n',
      '[crypto]\n  ed25519.signingkey = K\n\n  # c\n  x = 1\n',
    ],
    [
      'an empty indented key',
      '[crypto]\n\ted25519.signingkey :\n\tx = 1\n',
      '[crypto]\n\ted25519.signingkey = K\n\tx = 1\n',
    ],
    [
      'a value that looks like the section',
      '[email]\nx = a\n   [crypto]\n',
      '[email]\nx = a\n   [crypto]\n\n[crypto]\ned25519.signingkey = K\n',
    ],
    [
      'a byte order mark and the oldest line ends',
      '\ufeff[crypto]\rx = 1\r',
      '\ufeff[crypto]\red25519.signingkey = K\nx = 1\r',
    ],
    [
      'an empty key in DEFAULT',
      '[DEFAULT]\ned25519.signingkey =\n',
      '[DEFAULT]\ned25519.signingkey = K\n',
    ],
    [
      'an empty key in DEFAULT, and a section without it',
      '[DEFAULT]\na = 1\ned25519.signingkey =\n\n[crypto]\nb = 2\n',
      '[DEFAULT]\na = 1\ned25519.signingkey = K\n\n[crypto]\nb = 2\n',
    ],
    [
      'an empty key in DEFAULT, and one in its section',
      '[DEFAULT]\ned25519.signingkey =\n[crypto]\ned25519.signingkey:\n',
      '[DEFAULT]\ned25519.signingkey =\n[crypto]\ned25519.signingkey = K\n',
    ],
    [
      'an empty key in a section before',
      '[general]\ned25519.signingkey =\n[crypto]\n',
      '[general]\ned25519.signingkey =\n[crypto]\ned25519.signingkey = K\n',
    ],
    [
      'an empty key with empty lines and comments behind it',
      '\ufeff[DEFAULT]\r\ned25519.signingkey =\r\n\r\n   # c\r\n  \r\nb = 2\r\n',
      '\ufeff[DEFAULT]\r\ned25519.signingkey = K\r\n\r\n   # c\r\n  \r\nb = 2\r\n',
    ],
    [
      'an empty key at the very end',
      '[crypto]\nx = 1\ned25519.signingkey =',
      '[crypto]\nx = 1\ned25519.signingkey = K',
    ],
  ])('%s', (_what, before, after) => {
    expect(withSigningKey(before, KEY)).toBe(after.replace('K', KEY));
  });

  test('gets that line, and nothing else of it changes', async () => {
    const before = '; comment\n[general]\nserver.name = id.test\n\n[crypto]\n';
    await writeFile(file, before, { mode: 0o640 });
    if (process.getuid?.() === 0) await chown(file, 65534, 65534);
    const target = `${file}.real`;
    await writeFile(target, before, { mode: 0o640 });
    const { config } = await load();
    const after = await readFile(file, 'utf8');
    expect(after.replace(/^ed25519\.signingkey = .*\n/m, '')).toBe(before);
    const { mode, uid } = await stat(file);
    expect(mode & 0o777).toBe(0o640);
    if (process.getuid?.() === 0) expect(uid).toBe(65534);
    expect((await load()).config.crypto).toEqual(config.crypto);
  });

  test.each([
    [0o644, 0o640],
    [0o666, 0o660],
    [0o755, 0o750],
    [0o2664, 0o2660],
    [0o600, 0o600],
  ])(
    'of mode %o has mode %o then: others lose their rights, owner and group none',
    async (mode, left) => {
      await writeFile(file, '[general]\nserver.name = id.test\n');
      if (process.getuid?.() === 0) await chown(file, 65534, 65533);
      await chmod(file, mode);
      await load();
      const { mode: after, uid, gid } = await stat(file);
      expect(after & 0o7777).toBe(left);
      if (process.getuid?.() === 0) expect([uid, gid]).toEqual([65534, 65533]);
    },
  );

  test.each([
    ['[DEFAULT]\r\nserver.name = id.test\r\ned25519.signingkey = \r\nlog.path =\r\n'],
    ['\ufeff[crypto]\n# mine\ned25519.signingkey:\n\n[general]\nserver.name = id.test'],
    ['[general]\nserver.name = id.test\n[crypto]\ned25519.signingkey ='],
    // Empty once it is filled in: no key to sign with.
    ['[general]\nserver.name = id.test\n[crypto]\nk =\ned25519.signingkey = %(k)s\n'],
  ])('has it filled in where it stands: %j', async (before) => {
    await writeFile(file, before);
    const { config, warnings } = await load();
    expect(warnings[0]).toBe(`Added a new signing key to ${file}`);
    expect(warnings.join('\n')).not.toContain('signingkey is empty');
    const after = (await readFile(file, 'utf8')).split('\n');
    const unlike = before
      .split('\n')
      .flatMap((line, index) => (line === after[index] ? [] : [line]));
    expect(after).toHaveLength(before.split('\n').length);
    expect(unlike).toHaveLength(1);
    expect(unlike[0]).toContain('ed25519.signingkey');
    expect(config.crypto.signingKey.seed.some((byte) => byte !== 0)).toBe(true);
    expect((await load()).config).toEqual(config);
  });

  test('but one of the oldest form is left as it is', async () => {
    const before = `[general]\nserver.name = id.test\n[crypto]\ned25519.signingkey = ${'Ab'.repeat(32)}\n`;
    await writeFile(file, before);
    const { config } = await load();
    expect(config.crypto.signingKey.version).toBe('0');
    expect(Buffer.from(config.crypto.signingKey.seed).toString('hex')).toBe('ab'.repeat(32));
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('a link to it stays a link', async () => {
    const target = path.join(folder.path, 'real.conf');
    await writeFile(target, '[general]\nserver.name = id.test\n');
    await chmod(target, 0o644);
    await symlink('real.conf', file);
    await load();
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect((await stat(target)).mode & 0o777).toBe(0o640);
    expect(await readFile(target, 'utf8')).toContain('signingkey = ed25519 0 ');
  });

  test('that is read-only stops the start; with the key it is fine', async () => {
    const text = '[general]\nserver.name = id.test\n';
    await writeFile(file, text);
    await chmod(file, 0o444);
    await expect(load()).rejects.toThrow(
      /no \[crypto\] ed25519\.signingkey.*cognomen generate-key/s,
    );
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await readdir(folder.path)).toEqual(['sydent.conf']);
    await chmod(file, 0o644);
    await load();
    await chmod(file, 0o444);
    await load();
  });

  test('that is not UTF-8 is refused, and not touched', async () => {
    const bytes = Buffer.from('[general]\n# f\u00fcr\nserver.name = id.test\n', 'latin1');
    await writeFile(file, bytes);
    await expect(load()).rejects.toThrow('line 2 is not UTF-8');
    expect(await readFile(file)).toEqual(bytes);
  });

  test('that is wrong in other ways is not touched', async () => {
    const text = '[general]\nlog.level = LOUD\n';
    await writeFile(file, text);
    await expect(load()).rejects.toThrow('log.level');
    expect(await readFile(file, 'utf8')).toBe(text);
  });
});

test('whatever the file, the key can be read from it afterwards and all else as before', () => {
  const line = fc.constantFrom(
    '[crypto]',
    '[general]',
    '[db]',
    '# c',
    '',
    'a = 1',
    'b: 2',
    '  more',
    '  c = 3',
    '  [crypto]',
    ' ed25519.signingkey:',
    'ed25519.signingkey =',
    '[DEFAULT]',
    'ed25519.old_keys =',
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.constantFrom('\n', '\r\n'),
      (lines, newline) => {
        const before = lines.join(newline);
        let ini: ReturnType<typeof parseIni>;
        try {
          ini = parseIni(before);
        } catch {
          return;
        }
        if (ini.getRaw('crypto', 'ed25519.signingkey')) return;
        const after = parseIni(withSigningKey(before, 'ed25519 0 AAAA'));
        expect(after.getRaw('crypto', 'ed25519.signingkey')).toBe('ed25519 0 AAAA');
        for (const section of ini.sections) {
          for (const key of ini.keys(section)) {
            if (key === 'ed25519.signingkey') continue;
            expect(after.getRaw(section, key)).toBe(ini.getRaw(section, key));
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});
