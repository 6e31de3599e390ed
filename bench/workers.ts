/**
 * What several workers do with the processors that they get: lookups for each second of processor time that all
 * processes of the server take together, one worker and then two, and how the two share them. With processors enough,
 * the ratio is by how much two serve more than one: the load and the workers compete for them here. `npm run
 * bench:workers`, after a build.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { childrenOf } from '../test/support/process.ts';
import { fillSqlite, SERVER_NAME } from './data.ts';
import { processorTimeOf, startLoad, stop } from './processes.ts';
import { WORKS } from './works.ts';

const COUNT = 100_000;
const SECONDS = 8;
const TURNS = 3;
const CONNECTIONS = 32;
const NAMES = ['ping', 'lookup of 1, found', 'lookup of 100, found'];
const MAIN = path.join(import.meta.dirname, '../dist/main.js');

const timeOf = (pid: number) => processorTimeOf({ pid } as ChildProcess) ?? 0;

/** Starts the server; the process ids of all its processes. */
async function start(folder: string, db: string, workers: number) {
  const port = await freePort();
  const file = path.join(folder, `${workers}.conf`);
  await writeFile(
    file,
    `[general]\nserver.name = ${SERVER_NAME}\npidfile.path =\nlog.path = ${folder}/log\nworkers = ${workers}
[db]\n${db}\n[http]\nclientapi.http.bind_address = 127.0.0.1\nclientapi.http.port = ${port}
client_http_base = https://id.test\n[crypto]\ned25519.signingkey = ed25519 0 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1\n`,
  );
  await writeFile(path.join(folder, 'log'), '');
  const child = spawn(process.execPath, [MAIN, 'serve', '-c', file], { stdio: 'inherit' });
  while (!(await readFile(path.join(folder, 'log'), 'utf8')).includes('"Ready"')) {
    if (child.exitCode !== null) throw new Error('The server did not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const pid = child.pid ?? 0;
  return { child, url: `http://127.0.0.1:${port}`, pids: [pid, ...childrenOf(pid)] };
}

async function measure(db: string, folder: string): Promise<void> {
  const load = startLoad();
  for (const name of NAMES) {
    const work = WORKS.find((one) => one.name === name);
    if (work === undefined) throw new Error(`There is no ${name}`);
    const requests = work.requests(COUNT, 0);
    const rates: Record<number, number[]> = { 1: [], 2: [] };
    let shares = '';
    for (let turn = 0; turn < TURNS; turn++) {
      for (const workers of [1, 2]) {
        const server = await start(folder, db, workers);
        const asked = { url: server.url, connections: CONNECTIONS, requests };
        await load.run({ ...asked, seconds: 2 });
        const before = server.pids.map(timeOf);
        const { answered, failed } = await load.run({ ...asked, seconds: SECONDS });
        const used = server.pids.map((pid, index) => timeOf(pid) - (before[index] ?? 0));
        if (failed > 0) throw new Error(`${failed} answers of ${name} were wrong`);
        const all = used.reduce((sum, time) => sum + time, 0);
        rates[workers]?.push(answered / all);
        if (workers === 2)
          shares = used.map((time) => `${Math.round((100 * time) / all)} %`).join(', ');
        await stop(server.child);
      }
    }
    const median = (all: number[] = []) =>
      all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
    const [one, two] = [median(rates[1]), median(rates[2])];
    process.stdout.write(
      `${name}: ${Math.round(one)} a second of processor time by one, ${Math.round(two)} by two: ` +
        `two processors do ${((2 * two) / one).toFixed(2)} times as much (supervisor and workers took ${shares})\n`,
    );
  }
  await load.stop();
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-bench-'));
try {
  const file = path.join(folder, 'sydent.db');
  await fillSqlite(file, COUNT);
  await measure(`db.file = ${file}`, folder);
} finally {
  await rm(folder, { recursive: true });
}
