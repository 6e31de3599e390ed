import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** Where requests of a kind go. */
export interface Target {
  readonly port: number;
  readonly tls?: ConnectionOptions;
}

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What came of sending something. */
export interface Exchange {
  readonly answers: readonly WireAnswer[];
  /** Bytes that are no answer. */
  readonly rest: string;
  /** Whether the server closed the connection in time. */
  readonly ended: boolean;
}

/** Milliseconds in which everything is answered, on a machine that is busy with other tests. */
const PATIENCE = 15_000;

async function open({ port, tls }: Target): Promise<Socket> {
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', ...tls })
    : connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, tls ? 'secureConnect' : 'connect');
  return socket;
}

/** Milliseconds of silence in which the server does not answer, as it waits for more. */
const SILENCE = 250;

/** Who ends: the server; or the client, when the server has nothing to say or at once. */
export type Ending = 'by server' | 'when silent' | 'at once';

/**
 * Sends bytes (each a character) on a connection of its own, and reads until the server closes it. Of what a
 * client does not wait for, the server may still be at work afterwards.
 */
export async function exchange(target: Target, bytes: string, ending: Ending): Promise<Exchange> {
  const socket = await open(target);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  // Whoever refuses need not read on.
  socket.on('error', () => {});
  const closed = Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => {});
  socket.write(bytes, 'latin1');
  if (ending === 'when silent') {
    let silence: NodeJS.Timeout | undefined;
    const silent = new Promise<void>((resolve) => {
      silence = setTimeout(resolve, SILENCE);
    });
    await Promise.race([once(socket, 'data').catch(() => {}), closed, silent]);
    clearTimeout(silence);
  }
  if (ending !== 'by server') socket.end();
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, PATIENCE, 'late');
  });
  const ended = (await Promise.race([closed, patience])) !== 'late';
  clearTimeout(timer);
  socket.destroy();
  return { ...answersIn(received, / ?^HEAD /.test(bytes)), ended };
}

function chunkedBody(text: string): { body: string; length: number } | undefined {
  let body = '';
  for (let at = 0; ; ) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line < 0 || Number.isNaN(size)) return undefined;
    if (size === 0) return { body, length: line + 4 };
    body += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}

/** @param isHead whether the first request was a HEAD: its answer has no body */
function answersIn(received: string, isHead: boolean): { answers: WireAnswer[]; rest: string } {
  const answers: WireAnswer[] = [];
  let rest = received;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(rest)?.[1];
    if (end < 0 || status === undefined) break;
    const headers = new Map(
      rest
        .slice(0, end)
        .split('\r\n')
        .slice(1)
        .map((line): [string, string] => {
          const colon = line.indexOf(':');
          return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }),
    );
    rest = rest.slice(end + 4);
    if (status.startsWith('1')) continue;
    const chunked = headers.get('transfer-encoding') === 'chunked' ? chunkedBody(rest) : undefined;
    const bodiless = status === '204' || (isHead && answers.length === 0);
    const length = bodiless
      ? 0
      : (chunked?.length ?? Number(headers.get('content-length') ?? rest.length));
    const body = Buffer.from(bodiless ? '' : (chunked?.body ?? rest.slice(0, length)), 'latin1');
    answers.push({ status: Number(status), headers, body: body.toString() });
    rest = rest.slice(length);
  }
  return { answers, rest };
}
