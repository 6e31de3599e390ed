/**
 * How long the rotation of the pepper takes beside a running server, and what lookups notice of it: their times without
 * a rotation and during one. `npm run bench:pepper`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lookupHash } from '../src/model/lookup-hash.ts';
import { freePort } from '../test/support/free-port.ts';
import { startPostgres } from '../test/support/postgres-server.ts';
import { ACCOUNTS, addressOf, fillPostgres, fillSqlite, SERVER_NAME, tokenOf } from './data.ts';

const HELP = `Rotates the pepper beside a running server, and measures lookups and binds meanwhile.

  npm run bench:pepper               a million associations on each engine
    --associations 10000             so many
    --engine sqlite|postgres         only on that
`;
const { values: given } = parseArgs({
  options: {
    help: { type: 'boolean' },
    associations: { type: 'string', default: '1000000' },
    engine: { type: 'string' },
  },
});
if (given.help) {
  process.stdout.write(HELP);
  process.exit();
}
const COUNT = Number(given.associations);
const isAsked = (engine: string) => (given.engine ?? engine) === engine;
if (!Number.isSafeInteger(COUNT) || COUNT < 1 || !['sqlite', 'postgres'].some(isAsked)) {
  process.stderr.write(HELP);
  process.exit(2);
}
/** Lookups of one address each, a second. */
const RATE = 100;
const SECONDS = 20;
const MAIN = path.join(import.meta.dirname, '../dist/main.js');

async function startServer(folder: string, db: string) {
  const [port, internal] = [await freePort(), await freePort()];
  const config = path.join(folder, 'sydent.conf');
  await writeFile(
    config,
    `[general]\nserver.name = ${SERVER_NAME}\npidfile.path =\nlog.level = ERROR\n[db]\n${db}\n[http]
clientapi.http.bind_address = 127.0.0.1\nclientapi.http.port = ${port}\ninternalapi.http.bind_address = 127.0.0.1
internalapi.http.port = ${internal}\nclient_http_base = https://id.test\n[crypto]
ed25519.signingkey = ed25519 0 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1\n`,
  );
  const child = spawn(process.execPath, [MAIN, 'serve', '-c', config], { stdio: 'inherit' });
  const url = `http://127.0.0.1:${port}/_matrix/identity`;
  while (!(await fetch(`${url}/v2`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error('The server did not start');
    await wait(50);
  }
  const internalUrl = `http://127.0.0.1:${internal}/_matrix/identity/internal`;
  return { child, url, internalUrl, config };
}

type Running = Awaited<ReturnType<typeof startServer>>;

const authorization = (number: number) => `Bearer ${tokenOf(number % ACCOUNTS)}`;

async function pepperNow({ url }: Running): Promise<string> {
  const headers = { authorization: authorization(0) };
  const answer = await fetch(`${url}/v2/hash_details`, { headers });
  return ((await answer.json()) as { lookup_pepper: string }).lookup_pepper;
}

/** Looks up at a steady pace, whatever the answers take, and binds now and then; the times until it is told to end. */
async function probe(server: Running, pepper: string, isOver: () => boolean) {
  const [lookups, binds]: [number[], number[]] = [[], []];
  const under: Promise<void>[] = [];
  const ask = async (number: number) => {
    const hash = lookupHash(addressOf(number), 'email', pepper);
    const begin = performance.now();
    const answer = await fetch(`${server.url}/v2/lookup`, {
      method: 'POST',
      headers: { authorization: authorization(number), 'content-type': 'application/json' },
      body: JSON.stringify({ addresses: [hash], algorithm: 'sha256', pepper }),
    });
    const { mappings } = (await answer.json()) as { mappings?: Record<string, string> };
    lookups.push(performance.now() - begin);
    if (mappings?.[hash] === undefined) throw new Error(`${addressOf(number)} was not found`);
  };
  const bind = async (number: number) => {
    const begin = performance.now();
    const answer = await fetch(`${server.internalUrl}/bind`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ medium: 'email', address: `new${number}@sample.test`, mxid: '@a:b' }),
    });
    await answer.text();
    binds.push(performance.now() - begin);
    if (!answer.ok) throw new Error(`A bind was answered ${answer.status}`);
  };
  const begin = performance.now();
  for (let turn = 0; !isOver(); turn++) {
    under.push(ask(1 + Math.floor(Math.random() * COUNT)));
    if (turn % 10 === 0) under.push(bind(turn));
    await wait(Math.max(0, begin + (turn * 1000) / RATE - performance.now()));
  }
  await Promise.all(under);
  return { lookups, binds };
}

const quantile = (all: readonly number[], part: number) =>
  (all.toSorted((a, b) => a - b)[Math.floor(all.length * part)] ?? 0).toFixed(1);

function tell(what: string, { lookups, binds }: Awaited<ReturnType<typeof probe>>): void {
  const of = (all: readonly number[]) =>
    `median ${quantile(all, 0.5)}, p99 ${quantile(all, 0.99)}, most ${quantile(all, 0.99999)} ms`;
  process.stdout.write(`${what}: lookups ${of(lookups)}; binds ${of(binds)}\n`);
}

async function measure(folder: string, db: string): Promise<void> {
  const server = await startServer(folder, db);
  try {
    const pepper = await pepperNow(server);
    const until = performance.now() + SECONDS * 1000;
    tell('without a rotation', await probe(server, pepper, () => performance.now() > until));
    await measureRotation(server, pepper);
  } finally {
    server.child.kill();
    if (server.child.exitCode === null) await once(server.child, 'exit');
  }
}

async function measureRotation(server: Running, pepper: string): Promise<void> {
  const begin = performance.now();
  const command = spawn(process.execPath, [MAIN, 'pepper', 'rotate', '-c', server.config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let isOver = false;
  const ended = once(command, 'exit').then(([code]) => {
    isOver = true;
    if (code !== 0) throw new Error('The rotation failed');
    return (performance.now() - begin) / 1000;
  });
  tell('during a rotation', await probe(server, pepper, () => isOver));
  process.stdout.write(`${COUNT} associations in ${(await ended).toFixed(1)} s\n`);
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-bench-'));
try {
  if (isAsked('sqlite')) {
    process.stdout.write('SQLite\n');
    const file = path.join(folder, 'sydent.db');
    await fillSqlite(file, COUNT);
    await measure(folder, `db.file = ${file}\ndb.backup = false`);
    await rm(file);
  }
  if (isAsked('postgres')) {
    process.stdout.write('PostgreSQL\n');
    const postgres = await startPostgres();
    try {
      const { hostname, port, username, password, pathname } = new URL(postgres.url);
      const access = {
        host: hostname,
        port: Number(port),
        user: username,
        password: decodeURIComponent(password),
        database: pathname.slice(1),
      };
      await fillPostgres(access, COUNT);
      await measure(folder, `db.url = ${postgres.url.replaceAll('%', '%%')}`);
    } finally {
      await postgres.stop();
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
