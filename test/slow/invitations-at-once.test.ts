import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import type { LookupWork } from '../support/lookup-worker.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { startScriptedRelay } from '../support/smtp.ts';

const INVITATIONS = 400;

/** Milliseconds of the processor that the process has taken so far. */
async function cpuTime(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let relay: Awaited<ReturnType<typeof startScriptedRelay>>;
let server: ServerProcess;
let v1: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  relay = await startScriptedRelay((line) => (line === 'DATA' ? '354 go on' : '250 yes'));
  const { file, url } = await writeConfig(folder.path, {
    email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}\nemail.ratelimit_sender.burst = 1000`,
  });
  v1 = `${url}/_matrix/identity/api/v1`;
  server = spawnCognomen(['serve', '-c', file], { cwd: folder.path });
  await server.untilLogged('The client API listens');
});
afterAll(async () => {
  await server.stop('SIGKILL');
  relay.close();
  await folder.remove();
});

const invite = (number: number) =>
  postJson(`${v1}/store-invite`, {
    ...INVITE,
    address: `grace${number}@sample.test`,
    sender: `@ada${number}:sample.test`,
  });

test(`${INVITATIONS} invitations at once hold no lookup up`, async () => {
  // Not the first ever, for which a new process loads much.
  expect((await invite(INVITATIONS)).status).toBe(200);
  const workerData: LookupWork = {
    url: `${v1}/bulk_lookup`,
    token: 'none',
    body: JSON.stringify({ threepids: [['email', 'nobody@sample.test']] }),
  };
  const worker = new Worker(new URL('../support/lookup-worker.ts', import.meta.url), {
    workerData,
  });
  await once(worker, 'message');
  const begin = performance.now();
  const before = await cpuTime(server.pid);
  const answers = await Promise.all(Array.from({ length: INVITATIONS }, (_, n) => invite(n)));
  const took = performance.now() - begin;
  const cpu = (await cpuTime(server.pid)) - before;
  worker.postMessage('stop');
  const [unsorted] = (await once(worker, 'message')) as [number[]];
  const times = unsorted.toSorted((a, b) => a - b);

  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  const at = (part: number) => times[Math.floor(part * (times.length - 1))] ?? Number.NaN;
  const shown = [0.5, 0.9, 0.99, 1].map((part) => `${at(part).toFixed(1)} ms`);
  process.stdout.write(
    `${INVITATIONS} invitations took ${took.toFixed(0)} ms, ${cpu} of the server’s processor; of ${times.length} lookups meanwhile the median, 90 %, 99 % and all took at most ${shown.join(', ')}\n`,
  );
  expect(at(1)).toBeLessThan(1000);
});
