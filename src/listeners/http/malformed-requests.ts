import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { STATUS_CODES } from '../../platform/node-http.ts';
import { ApiError, connectionError } from './errors.ts';

type Headers = Readonly<Record<string, string>>;

function headersOf({ body, headers }: ApiError, common: Headers) {
  const json = JSON.stringify(body);
  const own = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(json)),
    connection: 'close',
  };
  return { json, headers: { ...common, ...headers, ...own } };
}

/** Answers where there is nothing of Node's to answer with; the connection ends. */
function refuse(socket: Socket, error: ApiError, common: Headers): void {
  const { json, headers } = headersOf(error, common);
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const { status } = error;
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${json}`);
  socket.destroySoon();
}

/**
 * Answers what is not an HTTP request, as far as anything can be read of it; the connection ends.
 * @param common the headers of every answer
 * @param note told whom it refused, and how
 */
export function refuseConnection(
  common: Headers = {},
  note: (
    address: string | undefined,
    refusal: { status: number; reason: string },
  ) => void = () => {},
) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    // What failed in TLS cannot be told: the answer would never be written, and the socket wait for it.
    const canBeTold = /^(HPE|ERR_HTTP)_/.test(error.code ?? '');
    if (!canBeTold || !socket.writable) return void socket.destroy();
    const refusal = connectionError(error.code);
    note(socket.remoteAddress, { status: refusal.status, reason: refusal.message });
    refuse(socket, refusal, common);
  };
}

/**
 * Answers in JSON, as everything else, the requests that Node does not hand on: those that expect what it does
 * not know, which it would refuse without a body, and those to a proxy, which it would just hang up on.
 * @param common the headers of every answer
 */
export function refuseOddRequests(server: Server, common: Headers = {}): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const error = new ApiError(417, 'M_UNRECOGNIZED', 'Nothing can be expected but 100-continue');
    const { json, headers } = headersOf(error, common);
    response.writeHead(error.status, headers).end(json);
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    refuse(socket, new ApiError(405, 'M_UNRECOGNIZED', 'This server is not a proxy'), common);
  });
}
