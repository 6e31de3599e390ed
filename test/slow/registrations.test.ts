import { once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson, type TestAnswer } from '../support/http.ts';
import type { LookupWork } from '../support/lookup-worker.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const REGISTRATIONS = 1000;
const ANSWER_TIME = 2000;

let ca: TestCa;
let homeserver: TestHomeserver;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ServerProcess;
let v2: string;

beforeAll(async () => {
  ca = await createTestCa();
  homeserver = await startHomeserver({ ca });
  folder = await temporaryFolder();
  const { file, url } = await writeConfig(folder.path, { general: homeserver.reachable });
  v2 = `${url}/_matrix/identity/v2`;
  server = spawnCognomen(['serve', '-c', file], {
    cwd: folder.path,
    env: { NODE_EXTRA_CA_CERTS: ca.file },
  });
  await server.untilLogged('The client API listens');
});
afterAll(async () => {
  await server.stop('SIGKILL');
  await homeserver.close();
  await folder.remove();
  await ca.remove();
});

const register = (token: string) =>
  postJson(`${v2}/account/register`, {
    access_token: token,
    token_type: 'Bearer',
    matrix_server_name: homeserver.serverName,
    expires_in: 3600,
  });

/** Looks an address up again and again, in a thread of its own; the times in ms, sorted. */
async function lookUpDuring(token: string, work: () => Promise<void>): Promise<number[]> {
  const details = await get(`${v2}/hash_details`, {}, token);
  const lookup = { algorithm: 'sha256', pepper: details.json.lookup_pepper, addresses: ['x'] };
  const workerData: LookupWork = { url: `${v2}/lookup`, token, body: JSON.stringify(lookup) };
  const worker = new Worker(new URL('../support/lookup-worker.ts', import.meta.url), {
    workerData,
  });
  await once(worker, 'message');
  await work();
  worker.postMessage('stop');
  const [times] = (await once(worker, 'message')) as [number[]];
  return times.toSorted((a, b) => a - b);
}

test(`${REGISTRATIONS} registrations at once through a slow homeserver hold nothing up`, async () => {
  homeserver.openIdTokens.set('first', `@first:${homeserver.serverName}`);
  const { token } = (await register('first')).json;

  let asked = 0;
  let most = 0;
  homeserver.script(USERINFO, async (request, response) => {
    most = Math.max(most, ++asked);
    await after(ANSWER_TIME);
    asked--;
    const user = new URL(request.url, 'https://x').searchParams.get('access_token');
    answerJson(response, 200, { sub: `@${user}:${homeserver.serverName}` });
  });

  let answers: TestAnswer[] = [];
  const times = await lookUpDuring(token, async () => {
    const users = Array.from({ length: REGISTRATIONS }, (_, index) => `user${index}`);
    answers = await Promise.all(users.map(register));
  });

  const good = answers.filter(({ status }) => status === 200);
  const busy = answers.filter(({ status }) => status === 503);
  expect(good.length).toBeGreaterThanOrEqual(300);
  expect(good.length + busy.length).toBe(REGISTRATIONS);
  for (const { headers, json } of busy) {
    expect(json).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', retry_after_ms: expect.any(Number) });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect(most).toBeLessThanOrEqual(50);
  expect(homeserver.connections).toBeLessThanOrEqual(51);

  const at = (part: number) => times[Math.floor(part * (times.length - 1))] ?? Number.NaN;
  const shown = [0.5, 0.9, 0.99, 1].map((part) => `${at(part).toFixed(1)} ms`);
  process.stdout.write(
    `${good.length} registered; of ${times.length} lookups meanwhile the median, 90 %, 99 % and all took at most ${shown.join(', ')}\n`,
  );
  expect(at(0.5)).toBeLessThan(20);
  expect(at(0.99)).toBeLessThan(250);

  // There is room again at once.
  homeserver.script(USERINFO, undefined);
  expect((await register('first')).status).toBe(200);
});
