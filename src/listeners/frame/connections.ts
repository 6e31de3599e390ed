import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** The same of a connection and of the TLS on it. */
const keyOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/**
 * Watches a server that does not listen yet. The function it returns closes, now and from then on, the
 * connections over which no request has ever come: Node does not count them as idle, and waits for them.
 */
export function watchConnections(server: Server): () => void {
  const unused = new Map<string, Socket>();
  let isClosing = false;
  server.on('connection', (socket) => {
    if (isClosing) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    unused.set(key, socket);
    socket.once('close', () => unused.delete(key));
  });
  server.on('request', (request) => unused.delete(keyOf(request.socket)));
  return () => {
    isClosing = true;
    for (const socket of unused.values()) socket.destroy();
  };
}
