import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Chance } from './random.ts';

const ROOT = '/_matrix/identity/v2';

/** Begins a request and does not end it, sends nonsense, or does not wait for the answer. */
export async function misbehave(url: string, chance: Chance): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  const head = `POST ${ROOT}/lookup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n`;
  const kind = chance.between(0, 3);
  socket.write(
    [
      head,
      `${head}content-length: 5000\r\n\r\n{"addresses":[`,
      '\u0000\u0001 nonsense\r\n\r\n',
      `GET ${ROOT}/hash_details HTTP/1.1\r\nhost: x\r\n\r\n`,
    ][kind] ?? '',
  );
  await wait(chance.between(0, kind === 3 ? 2 : 3000));
  socket.resetAndDestroy();
}
