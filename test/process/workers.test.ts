import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { SIGNING_KEY } from '../support/server.ts';
import { startSmtpServer } from '../support/smtp.ts';
import {
  askAnew,
  isAlive,
  killWorker,
  type ServerOfWorkers,
  startWorkers,
} from '../support/workers.ts';

// Each of them starts several processes more than once.
const V2 = '/_matrix/identity/v2';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let database: TestDatabase;
const running: ServerProcess[] = [];
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop('SIGKILL');
  await database?.drop();
  await folder.remove();
});

async function start(
  engine: 'sqlite' | 'postgres',
  sections: Readonly<Record<string, string>> = {},
  workers = 2,
): Promise<ServerOfWorkers> {
  database = await createDatabase(engine);
  const server = await startWorkers(folder.path, { db: database.config, ...sections }, { workers });
  running.push(server);
  return server;
}

async function token(): Promise<string> {
  const made = secureRandom.alphanumeric(64);
  await database.execute('insert into accounts (user_id, created_ts) values (?, 0)', [
    '@ada:a.test',
  ]);
  await database.execute('insert into tokens (token, user_id) values (?, ?)', [
    made,
    '@ada:a.test',
  ]);
  return made;
}

const bind = (server: ServerOfWorkers, name: string) =>
  askAnew(`${server.internalUrl}/_matrix/identity/internal/bind`, {
    method: 'POST',
    body: { medium: 'email', address: `${name}@sample.test`, mxid: `@${name}:sample.test` },
  });

const isFound = async (server: ServerOfWorkers, name: string) => {
  const query = new URLSearchParams({ medium: 'email', address: `${name}@sample.test` });
  const { json } = await askAnew(`${server.url}/_matrix/identity/api/v1/lookup?${query}`);
  return json.mxid === `@${name}:sample.test`;
};

describe.each(ENGINES)('several workers, %s,', (engine) => {
  test('serve behind one port, show what any of them wrote, and stop together', async () => {
    const server = await start(engine);
    const workers = server.workers();
    expect(workers).toHaveLength(2);
    for (const name of ['ada', 'bob', 'cyd', 'dan']) {
      expect((await bind(server, name)).status).toBe(200);
      for (let look = 0; look < 4; look++) expect(await isFound(server, name)).toBe(true);
    }
    await expect
      .poll(() => [...server.answeredBy('/_matrix/identity/api/v1/lookup')].sort())
      .toEqual(workers.sort());
    const requests = await server.metric('cognomen_http_requests_total');
    expect(requests).toBeGreaterThanOrEqual(20);
    expect(await server.metric('cognomen_worker_http_requests')).toBeGreaterThanOrEqual(requests);
    for (const of of ['cpu_seconds', 'resident_memory_bytes', 'event_loop_lag_seconds']) {
      expect(await server.metric(`cognomen_worker_${of}`)).toBeGreaterThan(0);
    }
    expect(await server.metric('cognomen_database_write_wait_seconds_count')).toBeGreaterThan(0);
    expect((await readFile(`${folder.path}/sydent.pid`, 'utf8')).trim()).toBe(String(server.pid));
    const told = performance.now();
    expect(await server.stop()).toBe(0);
    // Nothing waits for the 10 s that requests have to end.
    expect(performance.now() - told).toBeLessThan(9000);
    expect(workers.filter(isAlive)).toEqual([]);
    await expect(readFile(`${folder.path}/sydent.pid`)).rejects.toThrow('ENOENT');
  });

  test('are replaced when they are killed, and one of them does what one does for all', async () => {
    const server = await start(engine);
    for (let round = 0; round < 2; round++) {
      const before = server.workers();
      // One of them leads: both are gone in turn.
      const victim = await killWorker(before[0]);
      // Clients are served by the other one meanwhile; one may still have come to the dead one, and is told so at once.
      const served = await askAnew(`${server.url}${V2}`).catch(() => askAnew(`${server.url}${V2}`));
      expect(served.status).toBe(200);
      await server.untilServing(2);
      expect(server.workers()).not.toContain(victim);
      await expect
        .poll(() => bind(server, `u${round}`).catch(() => undefined))
        .toMatchObject({
          status: 200,
        });
      expect(await isFound(server, `u${round}`)).toBe(true);
    }
    expect(await server.metric('cognomen_workers_lost_total')).toBe(2);
    expect(await server.stop()).toBe(0);
  });

  test('are replaced one by one by such as have a new configuration, with no connection refused', async () => {
    const server = await start(engine);
    const user = await token();
    const before = server.workers();
    const details = async () =>
      (await askAnew(`${server.url}${V2}/hash_details`, { token: user })).json;
    expect((await details()).algorithms).toEqual(['sha256', 'none']);
    const text = await readFile(server.file, 'utf8');
    await writeFile(server.file, text.replace('[general]', '[general]\naddress_lookup_limit = x'));
    const reload = () => {
      const command = spawnCognomen(['reload'], { cwd: folder.path });
      return command.ended.then((status) => ({ status, output: command.log() }));
    };
    expect(await reload()).toMatchObject({
      status: 1,
      output: expect.stringContaining('address_lookup_limit'),
    });
    server.child.kill('SIGUSR2');
    await server.untilLogged('all stays as it is');
    expect(server.workers()).toEqual(before);

    // What only a start does is not done by halves.
    await writeFile(server.file, text.replace(/server\.name = .*/, 'server.name = other.test'));
    expect(await reload()).toMatchObject({ status: 0 });
    await server.untilLogged('This takes a restart');
    expect(server.workers()).toEqual(before);

    await writeFile(server.file, text.replace('[general]', '[general]\naddress_lookup_limit = 1'));
    let asking = true;
    let answered = 0;
    const failures: unknown[] = [];
    const clients = Array.from({ length: 8 }, async () => {
      while (asking) {
        const answer = await askAnew(`${server.url}${V2}`).catch((error: unknown) => error);
        if (Object(answer).status === 200) answered++;
        else failures.push(answer);
      }
    });
    expect(await reload()).toMatchObject({
      status: 0,
      output: expect.stringContaining('was told'),
    });
    await server.untilLogged('"Reloaded"');
    const soFar = answered;
    await expect.poll(() => answered).toBeGreaterThan(soFar + 20);
    asking = false;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    const after = server.workers();
    expect(after).toHaveLength(2);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    const { lookup_pepper: pepper } = await details();
    for (let look = 0; look < 4; look++) {
      const body = { addresses: ['a', 'b'], algorithm: 'sha256', pepper };
      const refused = await askAnew(`${server.url}${V2}/lookup`, {
        method: 'POST',
        body,
        token: user,
      });
      expect(refused.status).toBe(400);
    }
    expect((await bind(server, 'ada')).status).toBe(200);
    // What those that are gone have counted counts still.
    expect(await server.metric('cognomen_http_requests_total')).toBeGreaterThanOrEqual(answered);
    expect(await server.metric('cognomen_workers_lost_total')).toBe(0);
    expect(await server.stop()).toBe(0);
  });

  test('write at the same time, each once, and mail once to who asks all of them at once', async () => {
    const relay = await startSmtpServer();
    const server = await start(
      engine,
      {
        email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}\nemail.ratelimit_sender.burst = 1000`,
      },
      3,
    );
    const user = await token();
    const path = `${V2}/validate/email/requestToken`;
    const ask = (name: string) =>
      askAnew(`${server.url}${path}`, {
        method: 'POST',
        body: { client_secret: 'secret', email: `${name}@sample.test`, send_attempt: 1 },
        token: user,
      });
    const names = Array.from({ length: 60 }, (_, index) => `u${index}`);
    const answers = await Promise.all(names.map(ask));
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
    expect(new Set(answers.map(({ json }) => json.sid)).size).toBe(60);
    expect(relay.mails).toHaveLength(60);
    const same = await Promise.all(Array.from({ length: 12 }, () => ask('racer')));
    expect(new Set(same.map(({ status, json }) => `${status} ${json.sid}`)).size).toBe(1);
    expect(relay.mails).toHaveLength(61);
    await expect.poll(() => server.answeredBy(path).size).toBe(3);
    expect(await server.stop()).toBe(0);
    await relay.close();
  });

  test('limit together, and go on so when one of them ends', async () => {
    const relay = await startSmtpServer();
    const server = await start(
      engine,
      {
        email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}\nemail.ratelimit_sender.burst = 6`,
      },
      3,
    );
    const user = await token();
    const path = `${V2}/validate/email/requestToken`;
    const ask = async (name: string) => {
      const body = { client_secret: 'secret', email: `${name}@sample.test`, send_attempt: 1 };
      return (await askAnew(`${server.url}${path}`, { method: 'POST', body, token: user })).status;
    };
    const statuses = await Promise.all(Array.from({ length: 18 }, (_, index) => ask(`u${index}`)));
    expect(statuses.filter((status) => status === 200)).toHaveLength(6);
    expect(statuses.filter((status) => status === 429)).toHaveLength(12);
    await expect.poll(() => server.answeredBy(path).size).toBe(3);
    for (const victim of server.workers().slice(0, 2)) process.kill(victim, 'SIGKILL');
    await expect.poll(() => server.metric('cognomen_workers_lost_total').catch(() => 0)).toBe(2);
    await server.untilServing(3);
    for (let turn = 0; turn < 6; turn++) expect(await ask(`v${turn}`)).toBe(429);
    expect(relay.mails).toHaveLength(6);
    expect(await server.stop()).toBe(0);
    await relay.close();
  });

  test('take other signing keys, and open the log anew, on SIGHUP', async () => {
    const server = await start(engine);
    const rotated = spawnCognomen(['key', 'rotate'], { cwd: folder.path });
    expect(await rotated.ended).toBe(0);
    const id = /^ {2}new +(\S+)/m.exec(rotated.log())?.[1] ?? '';
    const served = async () => (await askAnew(`${server.url}${V2}/pubkey/${id}`)).status;
    expect(await served()).toBe(404);
    server.child.kill('SIGHUP');
    await expect
      .poll(() => server.log().split('Other signing keys are in force').length - 1)
      .toBe(2);
    for (let look = 0; look < 4; look++) expect(await served()).toBe(200);
    // One that takes another's place has them, too.
    await killWorker(server.workers()[0]);
    await server.untilServing(2);
    for (let look = 0; look < 4; look++) expect(await served()).toBe(200);
    expect(await server.stop('SIGINT')).toBe(0);
  });
});

describe('workers', () => {
  test('open no other file than the one that the server runs on', async () => {
    const server = await start('sqlite');
    expect((await bind(server, 'ada')).status).toBe(200);
    const file = /db\.file = (.*)/.exec(database.config)?.[1] ?? '';
    await rename(file, `${file}.old`);
    await copyFile(`${file}.old`, file);
    await server.untilLogged('was replaced by another file while it was open');
    for (const pid of server.workers()) await killWorker(pid);
    await server.untilLogged('no further process opens it');
    // Whoever may be left does not write, and nobody else is there to.
    expect((await bind(server, 'bob').catch(() => ({ status: 503 }))).status).toBe(503);
    await server.stop('SIGKILL');
    await rename(`${file}.old`, file);
    const next = spawnCognomen([], { cwd: folder.path });
    running.push(next);
    await next.untilLogged('"Ready"');
    expect(await isFound(server, 'ada')).toBe(true);
  });

  test('all stay when what one does for all cannot be done, at a reload and at the start', async () => {
    const server = await start('sqlite');
    const before = server.workers();
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const text = await readFile(server.file, 'utf8');
    const changed = text.replace(/(internalapi\.http\.port = )\d+/, `$1${port}`);
    await writeFile(server.file, changed);
    server.child.kill('SIGUSR2');
    await server.untilLogged('The reload has failed');
    for (let look = 0; look < 6; look++) {
      expect((await askAnew(`${server.url}${V2}`)).status).toBe(200);
    }
    expect((await bind(server, 'ada')).status).toBe(200);
    expect(server.workers()).toEqual(before);
    expect(await server.stop()).toBe(0);
    const next = spawnCognomen([], { cwd: folder.path });
    running.push(next);
    expect(await next.ended).toBe(1);
    expect(next.log()).toContain('EADDRINUSE');
    taken.close();
  });

  test('have the same signing keys, though the configuration changes while one is started', async () => {
    await writeFile(`${folder.path}/key`, `${SIGNING_KEY}\n`, { mode: 0o600 });
    const server = await start('sqlite', {
      crypto: `ed25519.signingkey_file = ${folder.path}/key`,
    });
    const served = async (id: string) => (await askAnew(`${server.url}${V2}/pubkey/${id}`)).status;
    const replaceOne = () => killWorker(server.workers()[0]);
    await writeFile(`${folder.path}/key`, `${SIGNING_KEY.replace('ed25519 0', 'ed25519 new')}\n`);
    await replaceOne();
    await server.untilServing(2);
    for (let look = 0; look < 6; look++) expect(await served('ed25519:0')).toBe(200);
    // The signal comes while the next one is on its way.
    await replaceOne();
    server.child.kill('SIGHUP');
    await server.untilServing(2);
    await expect
      .poll(async () => await Promise.all(Array.from({ length: 6 }, () => served('ed25519:new'))))
      .toEqual(Array(6).fill(200));
    await rm(`${folder.path}/key`);
    await replaceOne();
    await server.untilServing(2);
    for (let look = 0; look < 6; look++) expect(await served('ed25519:new')).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  test('are as many as they should be after a reload in which one was lost', async () => {
    const server = await start('sqlite');
    const [, victim] = server.workers();
    server.child.kill('SIGUSR2');
    await server.untilLogged('Reloading');
    await killWorker(victim);
    await server.untilLogged('"Reloaded"');
    await server.untilServing(2);
    expect(server.workers()).toHaveLength(2);
    expect(await server.stop()).toBe(0);
  });

  test('are gone when the supervisor is killed, and the next start takes the database', async () => {
    const server = await start('sqlite');
    const workers = server.workers();
    await server.stop('SIGKILL');
    await expect.poll(() => workers.filter(isAlive)).toEqual([]);
    const next = spawnCognomen([], { cwd: folder.path });
    running.push(next);
    await next.untilLogged('"Ready"');
    expect(await next.stop()).toBe(0);
  });

  test('keep a second server from their database, and one that cannot start ends with status 1', async () => {
    const server = await start('sqlite');
    const text = await readFile(server.file, 'utf8');
    await writeFile(`${folder.path}/second.conf`, text);
    const second = spawnCognomen(['--config', 'second.conf'], { cwd: folder.path });
    running.push(second);
    expect(await second.ended).toBe(1);
    expect(second.log()).toContain('is in use by process');
    expect(await server.stop()).toBe(0);

    const port = createServer().listen(Number(new URL(server.url).port), '127.0.0.1');
    await once(port, 'listening');
    const third = spawnCognomen([], { cwd: folder.path });
    running.push(third);
    expect(await third.ended).toBe(1);
    expect(third.log()).toContain('EADDRINUSE');
    port.close();
  });

  test('stop during a start, during the delay for load balancers, and at once at a second signal', async () => {
    const server = await start('sqlite', { general: 'shutdown.delay = 60' });
    const workers = server.workers();
    server.child.kill('SIGTERM');
    await server.untilLogged('"Stopping"');
    await expect
      .poll(async () => (await askAnew(`${server.url}/health`).catch(() => undefined))?.status)
      .toBe(503);
    expect((await askAnew(`${server.url}${V2}`)).status).toBe(200);
    await expect
      .poll(() => {
        server.child.kill('SIGTERM');
        return server.log();
      })
      .toContain('A second signal');
    expect(await server.ended).toBe(1);
    await expect.poll(() => workers.filter(isAlive)).toEqual([]);

    const next = spawnCognomen([], { cwd: folder.path });
    running.push(next);
    await next.untilLogged('Starting');
    expect(await next.stop()).toBe(0);
  });

  test.each([
    ['workers = 0', 'a whole number from 1 to 64, or auto'],
    ['workers = many', 'a whole number from 1 to 64, or auto'],
    ['workers = 2\nprometheus_addr = 127.0.0.1\nprometheus_port = 0', 'port 0'],
  ])('are refused in a configuration with %j', async (line, reason) => {
    await writeConfig(folder.path, { general: line });
    const server = spawnCognomen([], { cwd: folder.path });
    running.push(server);
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain(reason);
  });

  test('cannot share a database in memory', async () => {
    await writeConfig(folder.path, { general: 'workers = auto', db: 'db.file = :memory:' });
    const server = spawnCognomen([], { cwd: folder.path });
    running.push(server);
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain(':memory:');
  });

  test('cannot be reloaded where there are none, or no server runs', async () => {
    const reload = async () => {
      const command = spawnCognomen(['reload'], { cwd: folder.path });
      return { status: await command.ended, output: command.log() };
    };
    const { file } = await writeConfig(folder.path);
    expect(await reload()).toMatchObject({
      status: 1,
      output: expect.stringContaining('workers = 1'),
    });
    const alone = spawnCognomen([], { cwd: folder.path });
    running.push(alone);
    await alone.untilLogged('"Ready"');
    alone.child.kill('SIGUSR2');
    await alone.untilLogged('There is nothing to reload');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('[general]', '[general]\nworkers = 2'));
    expect(await alone.stop()).toBe(0);
    expect(await reload()).toMatchObject({
      status: 1,
      output: expect.stringContaining('No server runs'),
    });
    // Whoever has that number now would be ended by the signal.
    const bystander = spawn('sleep', ['600']);
    await writeFile(`${folder.path}/sydent.pid`, `${bystander.pid}\n`);
    expect(await reload()).toMatchObject({ status: 1, output: expect.stringContaining('is none') });
    expect(isAlive(bystander.pid ?? 0)).toBe(true);
    bystander.kill('SIGKILL');
  });
});
