import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Stands before a real relay. */
export interface Tarpit {
  readonly port: number;
  /** Connections that are open. */
  readonly open: number;
  /** Passes everything on, of connections that come from now on. */
  letThrough(): void;
  close(): void;
}

/**
 * Takes every connection, and says nothing, or greets and never comes to the end of its next answer.
 * @param pause milliseconds between the octets of that; undefined: it says nothing
 */
export async function startTarpit(relayPort: number, pause: number | undefined): Promise<Tarpit> {
  const sockets = new Set<Socket>();
  let isSticky = true;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (!isSticky) {
      const relay = connect(relayPort, '127.0.0.1');
      relay.on('error', () => socket.destroy());
      socket.on('close', () => relay.destroy());
      socket.pipe(relay).pipe(socket);
      return;
    }
    socket.resume();
    if (pause === undefined) return;
    socket.write('220 here\r\n');
    const dripping = setInterval(() => socket.write('2'), pause);
    socket.on('close', () => clearInterval(dripping));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    get open() {
      return sockets.size;
    },
    letThrough() {
      isSticky = false;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
