import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: ServerProcess | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  await folder.remove();
});

async function health(env: Record<string, string> = {}) {
  const command = spawnCognomen(['health'], { cwd: folder.path, env });
  return { status: await command.ended, output: command.log() };
}

test('health is 0 while the server is well, 1 when it is about to stop, and 1 when there is none', async () => {
  await writeConfig(folder.path, { general: 'shutdown.delay = 60' });
  server = spawnCognomen([], { cwd: folder.path });
  await server.untilLogged('Ready');
  expect(await health()).toEqual({ status: 0, output: '{"status":"ok"}\n' });

  server.child.kill('SIGTERM');
  const stopping = { status: 1, output: '{"status":"unavailable","reason":"stopping"}\n' };
  await expect.poll(() => health()).toEqual(stopping);

  await server.stop('SIGKILL');
  const { status, output } = await health();
  expect(status).toBe(1);
  expect(output).toMatch(/^No server answers at 127\.0\.0\.1 port \d+: connect ECONNREFUSED/);
});

test('health finds a server that listens at all addresses', async () => {
  await writeConfig(folder.path);
  const env = { COGNOMEN_HTTP_CLIENTAPI_HTTP_BIND_ADDRESS: '::' };
  server = spawnCognomen([], { cwd: folder.path, env });
  await server.untilLogged('Ready');
  expect((await health(env)).status).toBe(0);
});

test('health gives up on what takes connections and answers nothing', async () => {
  const mute = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const { port } = mute.address() as { port: number };
  await writeConfig(folder.path);
  const { status, output } = await health({ COGNOMEN_HTTP_CLIENTAPI_HTTP_PORT: String(port) });
  mute.close();
  expect(status).toBe(1);
  expect(output).toContain('No server answers');
});
