import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import pino from 'pino';
import { expect, test } from 'vitest';
import { startApp } from '../../src/app/app.ts';
import { ENGINES } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { startTestServer } from '../support/server.ts';

/** Servers that this process has listening. */
const listening = () =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap').length;

const isRefused = async (port: number) => {
  const socket = connect({ port, host: '127.0.0.1' });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return error.code === 'ECONNREFUSED';
};

test.each(ENGINES)('a start that fails at the end leaves nothing open, on %s', async (engine) => {
  const server = await startTestServer({ engine });
  await server.app.close();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const metrics = await freePort();
  const { config } = server;
  const dependencies = { logger: pino({ level: 'silent' }) };
  const connections = async () =>
    engine === 'sqlite'
      ? []
      : server.database.execute(
          "select 1 from pg_stat_activity where application_name like 'cognomen %' and datname = current_database()",
        );
  await expect.poll(connections).toEqual([]);
  const before = listening();
  const starting = startApp(
    {
      ...config,
      general: { ...config.general, prometheus: { address: '127.0.0.1', port: metrics } },
      http: { ...config.http, clientApi: { address: '127.0.0.1', port } },
    },
    dependencies,
  );
  await expect(starting).rejects.toThrow(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
  expect(await isRefused(metrics)).toBe(true);
  expect(listening()).toBeLessThanOrEqual(before);
  await expect.poll(connections).toEqual([]);
  taken.close();
  // On SQLite, the file is nobody's.
  const again = await startApp(config, dependencies);
  await again.close();
  await server.stop();
});
