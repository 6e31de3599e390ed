import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SECTIONS } from '../../src/config/known-keys.ts';
import { ConfigError, loadConfig, parseSources, readConfig } from '../../src/config/load.ts';
import { rotateSigningKey } from '../../src/config/rotate-key.ts';
import { FILE_SUFFIX, variableOf } from '../../src/config/sources.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { temporaryFolder } from '../support/databases.ts';
import { SIGNING_KEY } from '../support/server.ts';

const CRYPTO = `[crypto]\ned25519.signingkey = ${SIGNING_KEY}\n`;

function read(texts: readonly string[], env: Record<string, string> = {}) {
  const sources = texts.map((text, index) => ({ file: `${index}.conf`, text }));
  return parseSources(sources, { env, hostname: 'host.test' });
}

function problemsOf(texts: readonly string[], env: Record<string, string> = {}) {
  try {
    read(texts, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function write(name: string, text: string): Promise<string> {
  const file = path.join(folder.path, name);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

describe('several files', () => {
  test('are one, of which later ones win key by key', () => {
    const { config, values } = read([
      `[general]\nserver.name = a.test\npidfile.path = a.pid\n${CRYPTO}[http]\nclientapi.http.port = 1\n`,
      '[general]\nserver.name = b.test\n[email]\nemail.hostname = %(name)s.test\nname = b\n',
      '[email]\nname = c\n[DEFAULT]\nclientapi.http.port = 3\ninternalapi.http.port = 4\n',
    ]);
    expect(config.files).toEqual(['0.conf', '1.conf', '2.conf']);
    expect(config.general.serverName).toBe('b.test');
    expect(config.general.pidFile).toBe('a.pid');
    // As Python does: a section's own value wins over one that serves all, and %(name)s is what counts in the end.
    expect(config.http.clientApi.port).toBe(1);
    expect(config.http.internalApi?.port).toBe(4);
    expect(config.email.hostname).toBe('c.test');
    const from = (name: string) => values.find(({ key }) => key.name === name)?.from;
    expect(from('server.name')).toBe('1.conf');
    expect(from('pidfile.path')).toBe('0.conf');
    expect(from('internalapi.http.port')).toBe('2.conf');
    expect(from('log.level')).toBeUndefined();
  });

  test('say in which of them the fault is', () => {
    expect(() => read([CRYPTO, 'nonsense'])).toThrow('1.conf cannot be used');
    expect(() => read([CRYPTO, '[general]\nlog.level = LOUD'])).toThrow('log.level = "LOUD"');
  });

  test('must all be there', async () => {
    const first = await write('a.conf', CRYPTO);
    const missing = path.join(folder.path, 'b.conf');
    const load = loadConfig({
      files: [first, missing],
      env: {},
      hostname: 'host.test',
      random: secureRandom,
    });
    await expect(load).rejects.toThrow(`${missing} cannot be used:\n  it does not exist`);
    expect(await readdir(folder.path)).toEqual(['a.conf']);
  });

  test('get a signing key in the last of them, and keep it where it stands when it is changed', async () => {
    const first = await write('a.conf', '[general]\nserver.name = a.test\n');
    const last = await write('b.conf', '[general]\npidfile.path =\n');
    const environment = { env: {}, hostname: 'host.test' };
    const files = [first, last];
    await loadConfig({ files, ...environment, random: secureRandom });
    expect(await readFile(first, 'utf8')).not.toContain('signingkey');
    expect(await readFile(last, 'utf8')).toContain('ed25519.signingkey = ed25519 0 ');
    const rotated = await rotateSigningKey([last, first], environment, secureRandom);
    expect(rotated.file).toBe(last);
    expect(rotated.crypto.oldSigningKeys).toHaveLength(1);
  });
});

describe('the environment', () => {
  test('sets every key, over the files, by a name of its own', () => {
    const all = Object.values(SECTIONS)
      .flat()
      .flatMap((key) => [key, ...(key.secret ? [{ ...key, name: key.name + FILE_SUFFIX }] : [])]);
    const names = all.map(variableOf);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^COGNOMEN_[A-Z0-9_]+$/);

    const { config, values, warnings } = read(
      [`[general]\nserver.name = a.test\n${CRYPTO}[db]\ndb.url = postgres://u@h/a\n`],
      {
        COGNOMEN_GENERAL_SERVER_NAME: 'b.test',
        COGNOMEN_GENERAL_PIDFILE_PATH: '',
        SYDENT_PID_FILE: 'under.pid',
        COGNOMEN_DB_DB_URL: 'postgres://u:a%25b@h/b',
        COGNOMEN_HTTP_CLIENTAPI_HTTP_PORT: '7',
        COGNOMEN_GENERAL_LOG_LEVEL: '',
      },
    );
    expect(config.general.serverName).toBe('b.test');
    // An empty pid file says something of its own; an empty level does not.
    expect(config.general.pidFile).toBe('');
    expect(config.general.log.level).toBe('info');
    expect(config.http.clientApi.port).toBe(7);
    expect(config.db).toMatchObject({ database: 'b', password: 'a%b' });
    expect(values.find(({ key }) => key.name === 'server.name')?.from).toBe(
      '$COGNOMEN_GENERAL_SERVER_NAME',
    );
    expect(warnings.join()).not.toContain('environment');
  });

  test('is named with what is wrong in it, and what sets nothing is told', () => {
    expect(problemsOf([CRYPTO], { COGNOMEN_GENERAL_LOG_LEVEL: 'LOUD' })).toEqual([
      expect.stringMatching(/log\.level = "LOUD" \(from COGNOMEN_GENERAL_LOG_LEVEL\): must be/),
    ]);
    const [hidden] = problemsOf([CRYPTO], { COGNOMEN_DB_DB_URL: 'mysql://u:hush@h/d' });
    expect(hidden).toContain('(hidden) (from COGNOMEN_DB_DB_URL)');
    expect(hidden).not.toContain('hush');
    const { warnings } = read([CRYPTO], { COGNOMEN_GENERAL_SERVERNAME: 'x', OTHER: 'y' });
    expect(warnings).toContain(
      'the environment variable COGNOMEN_GENERAL_SERVERNAME sets no key of this server; did you mean COGNOMEN_GENERAL_SERVER_NAME?',
    );
  });

  test('that has the key needs no file, and none is written', async () => {
    const files = [path.join(folder.path, 'sydent.conf')];
    const env = {
      COGNOMEN_GENERAL_SERVER_NAME: 'b.test',
      COGNOMEN_CRYPTO_ED25519_SIGNINGKEY: SIGNING_KEY,
    };
    const environment = { env, hostname: 'host.test' };
    const loaded = await loadConfig({ files, ...environment, random: secureRandom });
    expect(loaded.config.general.serverName).toBe('b.test');
    expect(loaded.warnings[0]).toContain('There is no configuration');
    expect((await readConfig(files, environment)).config).toEqual(loaded.config);
    expect(await readdir(folder.path)).toEqual([]);
    await expect(rotateSigningKey(files, environment, secureRandom)).rejects.toThrow(
      '$COGNOMEN_CRYPTO_ED25519_SIGNINGKEY cannot be used',
    );
  });
});

describe('a secret in a file of its own', () => {
  test('is read from it, by a key or by the environment; what wins, wins over either', async () => {
    const password = await write('password', 'hush % hush\r\n');
    const key = await write('key', `${SIGNING_KEY}\n`);
    const files = [`[email]\nemail.smtppassword_file = ${password}\nemail.smtpusername = a\n`];
    const { config, values } = read(files, { COGNOMEN_CRYPTO_ED25519_SIGNINGKEY_FILE: key });
    expect(config.email.smtp.password).toBe('hush % hush');
    expect(values.find(({ key: { name } }) => name === 'ed25519.signingkey')?.from).toBe(key);

    const smtp = (more: string, env = {}) =>
      read([CRYPTO, ...files, more], env).config.email.smtp.password;
    expect(smtp('[email]\nemail.smtppassword = later\n')).toBe('later');
    expect(smtp('', { COGNOMEN_EMAIL_EMAIL_SMTPPASSWORD: 'over' })).toBe('over');
    expect(
      read(['[email]\nemail.smtppassword = x\n', ...files, CRYPTO]).config.email.smtp.password,
    ).toBe('hush % hush');
  });

  test('that cannot be read, or is given itself as well, stops the start', async () => {
    const missing = `${folder.path}/nowhere`;
    expect(problemsOf([CRYPTO, `[email]\nemail.smtppassword_file = ${missing}\n`])).toEqual([
      expect.stringContaining(
        `[email] email.smtppassword: the file "${missing}" cannot be read: ENOENT`,
      ),
    ]);
    const both = `[email]\nemail.smtppassword_file = ${missing}\nemail.smtppassword = x\n`;
    expect(problemsOf([CRYPTO, both])).toEqual([
      '[email] email.smtppassword: email.smtppassword_file is there as well; keep one of them',
    ]);
    const large = await write('large', 'x'.repeat(70_000));
    expect(problemsOf([CRYPTO], { COGNOMEN_EMAIL_EMAIL_SMTPPASSWORD_FILE: large })[0]).toContain(
      'more than 65536 octets',
    );
    await mkdir(`${folder.path}/folder`);
    expect(
      problemsOf([CRYPTO, `[email]\nemail.smtppassword_file = ${folder.path}/folder\n`])[0],
    ).toContain('EISDIR');
    // Only of secrets: elsewhere it is an unknown key.
    expect(read([CRYPTO, '[general]\nserver.name_file = x\n']).warnings.join()).toContain(
      'server.name_file is not a key',
    );
  });

  test('that every user can read is warned of', async () => {
    const password = await write('password', 'hush\n');
    const config = await write(
      'a.conf',
      `${CRYPTO}[email]\nemail.smtppassword_file = ${password}\n`,
    );
    const load = () => readConfig([config], { env: {}, hostname: 'host.test' });
    expect((await load()).warnings.join()).not.toContain('every user');
    await chmod(password, 0o644);
    expect((await load()).warnings).toContainEqual(
      expect.stringMatching(/^\[email\] email\.smtppassword: every user .*chmod o= .*password\)$/),
    );
  });
});
