import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { get } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const running: ServerProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop('SIGKILL');
  await folder.remove();
});

function spawn(args: string[], env: Record<string, string> = {}, cwd = folder.path): ServerProcess {
  const server = spawnCognomen(args, { cwd, env });
  running.push(server);
  return server;
}

describe('the command line', () => {
  test.each([['--help'], ['-h'], ['dance', '--help']])('%s explains', async (...args) => {
    const command = spawn(args);
    expect(await command.ended).toBe(0);
    expect(command.log()).toMatch(/Usage: cognomen[\s\S]*serve[\s\S]*--config FILE/);
  });

  test('a command explains itself', async () => {
    const command = spawn(['peers', '--help']);
    expect(await command.ended).toBe(0);
    expect(command.log()).toMatch(/peers add NAME[\s\S]*--key KEY[\s\S]*Exit status/);
  });

  test('--version', async () => {
    const command = spawn(['--version']);
    expect(await command.ended).toBe(0);
    expect(command.log()).toMatch(/^\d+\.\d+\.\d+( \([0-9a-f]{12}(-changed)?\))?\n$/);
  });

  test.each([
    [['dance'], /no command dance/],
    [['serve', 'fast'], /no further argument: fast/],
    [['--colour'], /--colour/],
  ])('%j is refused with what is wrong', async (args, message) => {
    const command = spawn(args);
    expect(await command.ended).toBe(2);
    expect(command.log()).toMatch(message);
  });

  test('generate-key prints a key that a configuration takes; check-config says so', async () => {
    const generate = spawn(['generate-key']);
    await generate.ended;
    const { file } = await writeConfig(folder.path, {
      crypto: `ed25519.signingkey = ${generate.log().trim()}`,
      general: 'log.levle = INFO',
    });
    const check = spawn(['check-config', '--offline', '-c', file]);
    expect(await check.ended).toBe(0);
    expect(check.log()).toMatch(/did you mean log\.level\?[\s\S]*is good/);
  });
});

describe('the configuration file', () => {
  test('is that of --config, else of $SYDENT_CONF, else sydent.conf here', async () => {
    await writeConfig(folder.path, { general: 'log.level = none of these' });
    for (const [args, env, named] of [
      [['check-config'], {}, 'sydent.conf'],
      [['check-config'], { SYDENT_CONF: 'env.conf' }, 'env.conf'],
      [['check-config', '--config', 'arg.conf'], { SYDENT_CONF: 'env.conf' }, 'arg.conf'],
    ] as const) {
      const command = spawn([...args], env);
      expect(await command.ended).toBe(1);
      expect(command.log()).toContain(named);
    }
  });

  test('that is wrong stops the start with everything that is wrong', async () => {
    await writeConfig(folder.path, { general: 'log.level = LOUD\naddress_lookup_limit = many' });
    const server = spawn([]);
    expect(await server.ended).toBe(1);
    expect(server.log()).toMatch(/log\.level = "LOUD"[\s\S]*address_lookup_limit = "many"/);
    expect(await readdir(folder.path)).toEqual(['sydent.conf']);
  });

  test('that is missing is written, and the server runs with it, from any folder', async () => {
    const env = {
      SYDENT_CONF: path.join(folder.path, 'new.conf'),
      SYDENT_SERVER_NAME: 'id.test',
      SYDENT_DB_PATH: path.join(folder.path, 'new.db'),
      SYDENT_PID_FILE: path.join(folder.path, 'new.pid'),
    };
    // The default port may be in use on this machine: then it must say so.
    const server = spawn(['serve'], env, '/');
    await Promise.race([server.untilLogged('Ready'), server.ended]);
    expect(server.log()).toMatch(/There was no configuration; wrote .*new\.conf/);
    expect(server.log()).toMatch(/Ready|EADDRINUSE/);
    const text = await readFile(env.SYDENT_CONF, 'utf8');
    expect(text).toMatch(/^server\.name = id\.test$/m);
    expect((await stat(env.SYDENT_CONF)).mode & 0o777).toBe(0o600);
  });
});

describe('a running server', () => {
  test('answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file', async () => {
    const { url } = await writeConfig(folder.path);
    const pidFile = path.join(folder.path, 'sydent.pid');
    await writeFile(pidFile, '999999999\n');
    const started = performance.now();
    const server = spawn([]);
    await server.untilLogged('Ready');
    expect((await get(`${url}/health`)).json).toEqual({ status: 'ok' });
    // On a slow machine that runs other tests meanwhile; alone it takes a fraction of it.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect((await readFile(pidFile, 'utf8')).trim()).toBe(String(server.pid));
    expect(await server.stop('SIGTERM')).toBe(0);
    expect((await readdir(folder.path)).sort()).toEqual([
      'sydent.conf',
      'sydent.db',
      'sydent.db.lock',
    ]);
    for (const line of server.log().trim().split('\n'))
      expect(() => JSON.parse(line)).not.toThrow();
  });

  test('opens its log again on SIGHUP', async () => {
    const log = path.join(folder.path, 'log', 'sydent.log');
    await mkdir(path.dirname(log));
    await writeConfig(folder.path, { general: `log.path = ${log}\nlog.format = pretty` });
    const server = spawn([]);
    await expect.poll(() => readFile(log, 'utf8').catch(() => '')).toContain('Ready');
    await rename(log, `${log}.moved`);
    server.child.kill('SIGHUP');
    await expect.poll(() => readFile(log, 'utf8').catch(() => '')).toContain('Reopened the log');
    expect(await server.stop('SIGINT')).toBe(0);
    expect(await readFile(log, 'utf8')).toContain('Stopped');
    expect(server.log()).toBe('');
  });

  test('reads its terms again on SIGHUP, and keeps the old ones when there is a fault', async () => {
    const file = path.join(folder.path, 'terms.yaml');
    const terms = (url: string) =>
      writeFile(
        file,
        `master_version: "1"\ndocs: {a: {version: "1", langs: {en: {name: A, url: "${url}"}}}}\n`,
      );
    await terms('https://a.test/');
    const { url } = await writeConfig(folder.path, { general: `terms.path = ${file}` });
    const server = spawn([]);
    await server.untilLogged('Ready');
    const shown = async () =>
      (await get(`${url}/_matrix/identity/v2/terms`)).json.policies.a.en.url;
    expect(await shown()).toBe('https://a.test/');
    await terms('nowhere');
    server.child.kill('SIGHUP');
    await server.untilLogged('must be an http:// or https:// URL');
    expect(await shown()).toBe('https://a.test/');
    await terms('https://b.test/');
    server.child.kill('SIGHUP');
    await expect.poll(shown).toBe('https://b.test/');
    expect(await server.stop()).toBe(0);
  });

  test('refuses a second on the same file, which says who has it', async () => {
    const { file } = await writeConfig(folder.path);
    const first = spawn([]);
    await first.untilLogged('Ready');
    const text = await readFile(file, 'utf8');
    const ports = [await freePort(), await freePort()];
    await writeFile(
      path.join(folder.path, 'second.conf'),
      text.replace(/(http\.port = )\d+/g, (_match, key) => `${key}${ports.pop()}`),
    );
    const second = spawn(['--config', 'second.conf']);
    expect(await second.ended).toBe(1);
    expect(second.log()).toContain(`in use by process ${first.pid} `);
    expect(await first.stop()).toBe(0);
  });

  test('says which port is taken', async () => {
    const first = await writeConfig(folder.path);
    const server = spawn([]);
    await server.untilLogged('Ready');
    await mkdir(path.join(folder.path, 'other'));
    const text = await readFile(first.file, 'utf8');
    await writeFile(path.join(folder.path, 'other', 'sydent.conf'), text);
    const other = spawn([], {}, path.join(folder.path, 'other'));
    expect(await other.ended).toBe(1);
    expect(other.log()).toContain(
      `EADDRINUSE: address already in use 127.0.0.1:${first.ports.internal}`,
    );
    // The operator can mend that: it needs no stack.
    expect(other.log()).not.toContain('"stack"');
  });

  test('takes little memory', async () => {
    await writeConfig(folder.path);
    const server = spawn([]);
    await server.untilLogged('Ready');
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8').catch(() => 'VmRSS: 0 kB');
    const rss = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    expect(rss).toBeLessThan(150);
  });
});
