import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { renderConfig, SIGNING_KEY } from '../support/server.ts';
import { startSmtpServer } from '../support/smtp.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let smtp: Awaited<ReturnType<typeof startSmtpServer>>;
let port: number;

beforeEach(async () => {
  folder = await temporaryFolder();
  smtp = await startSmtpServer();
  port = await freePort();
});
afterEach(async () => {
  await smtp.close();
  await folder.remove();
});

const at = (name: string) => path.join(folder.path, name);

/** The configuration of a server that could start, with these keys instead. */
async function configure(keys: Record<string, Record<string, string | number>> = {}) {
  const usual: typeof keys = {
    general: {
      'server.name': 'id.test',
      'pidfile.path': at('sydent.pid'),
      enable_v1_access: 'false',
    },
    db: { 'db.file': at('sydent.db') },
    http: {
      'clientapi.http.bind_address': '127.0.0.1',
      'clientapi.http.port': port,
      client_http_base: 'https://id.test',
      obey_x_forwarded_for: 'true',
      trusted_proxies: '127.0.0.1',
    },
    email: {
      'email.from': 'a@id.test',
      'email.smtphost': '127.0.0.1',
      'email.smtpport': smtp.port,
    },
    crypto: { 'ed25519.signingkey': SIGNING_KEY },
  };
  const sections = Object.entries(usual).map(([section, of]) => [
    section,
    Object.entries({ ...of, ...keys[section] })
      .map(([key, value]) => `${key} = ${value}`)
      .join('\n'),
  ]);
  await writeFile(at('sydent.conf'), renderConfig(Object.fromEntries(sections)), { mode: 0o600 });
}

async function check(...args: string[]) {
  const { status, output } = await runCommand('check-config', '-c', at('sydent.conf'), ...args);
  return { status, lines: output.trimEnd().split('\n') };
}

describe('check-config', () => {
  test('finds a configuration good that can start, and writes nothing', async () => {
    await configure();
    expect(await check()).toEqual({
      status: 0,
      lines: [`${at('sydent.conf')} is good: server.name is id.test`],
    });
    expect(await readdir(folder.path)).toEqual(['sydent.conf']);
    const { output } = await runCommand('check-config', '-c', at('sydent.conf'), '--json');
    const { good, findings } = JSON.parse(output);
    expect(good).toBe(true);
    expect(findings).toContainEqual({
      about: `[http] clientapi.http.port = ${port}`,
      state: 'ok',
      finding: '127.0.0.1 is free',
    });
    expect(findings.map(({ about }: { about: string }) => about)).toContain(
      '[email] email.smtphost = 127.0.0.1',
    );
  });

  test('says all at once: warnings beside errors, and what those did not touch', async () => {
    await configure({
      general: { 'log.levle': 'INFO', 'log.path': at('nowhere/cognomen.log') },
      email: { 'email.smtpport': 'loud' },
      http: { 'replication.https.certfile': '/etc/hostname' },
    });
    const { status, lines } = await check();
    expect(status).toBe(1);
    const said = (pattern: RegExp) => expect(lines).toContainEqual(expect.stringMatching(pattern));
    said(/^problem: \[email\] email\.smtpport = "loud": must be /);
    said(/^warning: .*did you mean log\.level\?/);
    said(
      /^problem: \[general\] log\.path = \S+: cannot be written: there is no folder \S+nowhere\. What to do: /,
    );
    said(/^problem: \[http\] replication\.https\.certfile: \/etc\/hostname: /);
    expect(lines.at(-2)).toBe('What goes by [email] was not tried');
    expect(lines.at(-1)).toMatch(/is not good: 3 problems, \d+ warnings?$/);
  });

  test('names who has a port, and the listener that wants the same', async () => {
    await configure({ general: { prometheus_addr: '127.0.0.1', prometheus_port: port } });
    expect((await check()).lines).toContainEqual(
      expect.stringContaining(
        `problem: [general] prometheus_port = ${port}: another listener of this configuration has that port`,
      ),
    );
    const program = `require('net').createServer().listen(${port}, '127.0.0.1', () => console.log('there'))`;
    const other = spawn(process.execPath, ['-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(other.stdout, 'data');
    await configure();
    const { status, lines } = await check();
    expect(status).toBe(1);
    expect(lines[0]).toMatch(
      new RegExp(
        `^problem: \\[http\\] clientapi\\.http\\.port = ${port}: 127\\.0\\.0\\.1 is in use by process ${other.pid} \\(.*What to do: stop that first`,
      ),
    );
    // The start says so, too.
    const server = spawnCognomen([], { cwd: folder.path });
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain(
      'The client listener cannot listen ([http] clientapi.http.port)',
    );
    expect(server.log()).toContain(`in use by process ${other.pid}`);
    other.kill();
    await once(other, 'close');
  });

  test('goes by the pid file beside the running server, which has the ports', async () => {
    const { file } = await writeConfig(folder.path, {
      email: `email.smtphost = 127.0.0.1\nemail.smtpport = ${smtp.port}`,
      db: `db.file = ${at('sydent.db')}`,
      general: `pidfile.path = ${at('sydent.pid')}`,
    });
    const server = spawnCognomen([], { cwd: folder.path });
    await server.untilLogged('Ready');
    const { status, output } = await runCommand('check-config', '-c', file, '--json');
    expect(JSON.parse(output).findings).toContainEqual(
      expect.objectContaining({ finding: 'the server listens there already' }),
    );
    expect(status).toBe(0);
    await server.stop();
  });

  test('tries the address, the relay and PostgreSQL, unless told not to go over the network', async () => {
    const closed = await freePort();
    await configure({
      db: { 'db.url': `postgres://ada:hidden-word@127.0.0.1:${closed}/id` },
      http: {
        'internalapi.http.bind_address': '192.0.2.1',
        'internalapi.http.port': 0,
        'internalapi.token': 'a-token-that-nobody-guesses',
      },
    });
    await smtp.close();
    const { status, lines } = await check();
    expect(status).toBe(1);
    const said = (pattern: RegExp) => expect(lines).toContainEqual(expect.stringMatching(pattern));
    said(
      /^problem: \[http\] internalapi\.http\.bind_address = 192\.0\.2\.1: this machine has no such address/,
    );
    said(/^problem: \[db\] db\.url: No connection to PostgreSQL at ada@127\.0\.0\.1/);
    said(
      /^problem: \[email\] email\.smtphost = 127\.0\.0\.1: no mail can go out by port \d+: .*ECONNREFUSED/,
    );
    expect(lines.join()).not.toContain('hidden-word');
    const offline = await check('--offline');
    expect(offline.lines.filter((line) => line.startsWith('problem'))).toHaveLength(1);
    smtp = await startSmtpServer();
  });

  test('logs in at the relay, and says which keys are refused without the password', async () => {
    const picky = await startSmtpServer({
      authOptional: false,
      onAuth: (_auth, _session, callback) => callback(new Error('no, not secret-word')),
    });
    await configure({
      email: {
        'email.smtpport': picky.port,
        'email.smtpusername': 'ada',
        'email.smtppassword': 'secret-word',
        'email.tlsmode': '0',
      },
    });
    const { status, lines } = await check();
    expect(lines[0]).toContain('email.smtppassword');
    expect(lines.join()).not.toContain('secret-word');
    expect(status).toBe(1);
    await picky.close();
  });

  test('looks at folders, terms and templates', async () => {
    await mkdir(at('res/mine'), { recursive: true });
    await writeFile(at('res/mine/invite_template.eml.j2'), 'Subject: {{ oh');
    await writeFile(at('terms.yaml'), 'master_version: 1');
    await configure({
      general: {
        'pidfile.path': at('res'),
        'terms.path': at('terms.yaml'),
        'templates.path': at('res'),
        'brand.default': 'yours',
      },
      db: { 'db.file': at('none/sydent.db') },
    });
    const { status, lines } = await check();
    expect(status).toBe(1);
    const said = (pattern: RegExp) => expect(lines).toContainEqual(expect.stringMatching(pattern));
    said(
      /^problem: \[general\] pidfile\.path = \S+res: cannot be written: it is a folder\. What to do: /,
    );
    said(/^problem: \[db\] db\.file = \S+: cannot be written: there is no folder \S+none\. /);
    said(/^problem: \[general\] terms\.path: \S+terms\.yaml: .*line 1: docs is missing/);
    said(/^problem: \[general\] templates\.path: .*invite_template\.eml\.j2/);
    said(/^warning: \[general\] brand\.default = yours: there is no such brand/);
  });

  test('finds that a first start could not write its key, and a file that is no database', async () => {
    await configure();
    await writeFile(
      at('sydent.db'),
      'nothing of the kind, and long enough to be told apart from one',
    );
    const { lines } = await check();
    expect(lines[0]).toMatch(/^problem: \[db\] db\.file = \S+: .*not a database/);
    await writeFile(at('sydent.conf'), '[general]\nserver.name = id.test\n');
    await chmod(at('sydent.conf'), 0o400);
    const { output } = await runCommand(
      'check-config',
      '--offline',
      '--json',
      '-c',
      at('sydent.conf'),
    );
    expect(output).toContain('there is none');
  });
});

test('a folder that cannot be used stops the start in one sentence with its key', async () => {
  await configure({ db: { 'db.file': at('none/sydent.db') } });
  const start = async () => {
    const server = spawnCognomen([], { cwd: folder.path });
    expect(await server.ended).toBe(1);
    return server.log();
  };
  expect(await start()).toMatch(
    /The database \S+none\/sydent\.db cannot be created \(\[db\] db\.file\)/,
  );
  await configure({ general: { 'pidfile.path': at('none/sydent.pid') } });
  expect(await start()).toContain('[general] pidfile.path');
  await configure({ general: { 'log.path': at('none/log') } });
  expect(await start()).toContain('[general] log.path');
});
