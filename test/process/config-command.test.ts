import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { parseIni } from '../../src/config/parser.ts';
import { temporaryFolder } from '../support/databases.ts';
import { spawnCognomen } from '../support/process.ts';
import { SIGNING_KEY } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const command = spawnCognomen(args, { cwd: folder.path, env });
  return { status: await command.ended, output: command.log() };
}

test('config show tells each value in force and where it is from, and no secret', async () => {
  await writeFile(
    `${folder.path}/a.conf`,
    `[general]\nserver.name = a.test\n[crypto]\ned25519.signingkey = ${SIGNING_KEY}\n[email]\nemail.smtppassword = hush\n`,
    { mode: 0o600 },
  );
  await writeFile(
    `${folder.path}/b.conf`,
    '[email]\nemail.smtphost = mail.test\n[sms]\nsmsrule.33 = reject\n',
  );
  const files = ['-c', 'a.conf', '-c', 'b.conf'];
  const env = { COGNOMEN_DB_DB_URL: 'postgres://u:hush@h/d', SYDENT_PID_FILE: 'x.pid' };
  const json = await run(['config', 'show', '--json', ...files], env);
  expect(json.status).toBe(0);
  const values = JSON.parse(json.output.replace(/^warning: .*\n/gm, '')) as {
    key: string;
    value: string;
    from: string;
  }[];
  const found = (name: string) => values.find(({ key }) => key === name);
  expect(found('server.name')).toMatchObject({ value: 'a.test', from: 'a.conf' });
  expect(found('email.smtphost')).toMatchObject({ value: 'mail.test', from: 'b.conf' });
  expect(found('db.url')).toMatchObject({ value: '(hidden)', from: '$COGNOMEN_DB_DB_URL' });
  expect(found('pidfile.path')).toMatchObject({ value: 'x.pid', from: '$SYDENT_PID_FILE' });
  expect(found('ed25519.signingkey')).toMatchObject({ value: '(hidden)', from: 'a.conf' });
  expect(found('log.level')).toMatchObject({ value: 'INFO', from: 'default' });
  expect(found('smsrule.33')).toMatchObject({ value: 'reject', from: 'b.conf' });
  const text = await run(['config', 'show', ...files], env);
  expect(text.output).toContain('# a.conf\nserver.name = a.test\n');
  for (const { output } of [json, text]) {
    expect(output).not.toContain('hush');
    expect(output).not.toContain(SIGNING_KEY.split(' ')[2]);
  }
});

test('config init writes what a first start would, once', async () => {
  const env = { SYDENT_SERVER_NAME: 'id.test', SYDENT_DB_PATH: '/var/lib/a.db' };
  const first = await run(['config', 'init'], env);
  expect(first).toMatchObject({ status: 0, output: expect.stringContaining('sydent.conf') });
  const text = await readFile(`${folder.path}/sydent.conf`, 'utf8');
  expect(text).toContain('\nserver.name = id.test\n');
  expect(text).toContain('\ndb.file = /var/lib/a.db\n');
  expect(await readdir(folder.path)).toEqual(['sydent.conf']);
  const shown = await run(['config', 'show']);
  expect(shown.status).toBe(0);

  const second = await run(['config', 'init'], env);
  expect(second).toEqual({ status: 1, output: 'sydent.conf is there already\n' });
  expect(await readFile(`${folder.path}/sydent.conf`, 'utf8')).toBe(text);
});

test('config defaults prints a configuration that is good', async () => {
  const { status, output } = await run(['config', 'defaults']);
  expect(status).toBe(0);
  expect(parseIni(output).sections).toContain('email');
  const environment = { env: {}, hostname: 'host.test' };
  const of = (text: string) =>
    parseConfig('a.conf', `${text}\n`, {
      ...environment,
      env: {
        COGNOMEN_CRYPTO_ED25519_SIGNINGKEY: SIGNING_KEY,
        COGNOMEN_GENERAL_SERVER_NAME: 'a.test',
      },
    }).config;
  expect(of(output)).toEqual(of(''));
});

test.each([[['config']], [['config', 'dance']], [['config', 'show', 'all']]])(
  '%j is not understood',
  async (args) => {
    expect(await run(args)).toMatchObject({
      status: 2,
      output: expect.stringContaining('config wants one of'),
    });
  },
);

test('config show says what is wrong with a configuration', async () => {
  await writeFile(`${folder.path}/sydent.conf`, '[general]\nlog.level = LOUD\n');
  expect(await run(['config', 'show'])).toMatchObject({
    status: 1,
    output: expect.stringContaining('log.level = "LOUD"'),
  });
});
