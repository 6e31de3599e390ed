import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to connections: one of these could be gone again before it is used. */
const LOWEST = 10_000;
/** Ports of their own that so many test files have that run at the same time: between a look and its use a port is nobody's. */
const SHARE = 4000;
const SHARES = 5;
const first = LOWEST + (Number(process.env['VITEST_POOL_ID'] ?? 0) % SHARES) * SHARE;

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Whoever asks for several has not opened the first when the next is looked for. */
const given = new Set<number>();

/** A port that was free a moment ago, is hardly anybody else's by now, and was not given here before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + randomInt(SHARE);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}
