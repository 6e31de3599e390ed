import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Stands between the server and a real PostgreSQL. */
export interface DatabaseProxy {
  /** The line of the `[db]` section that leads to the database through it. */
  readonly config: string;
  /** As when PostgreSQL is stopped: every connection breaks, those that are tried, too. */
  cut(): void;
  /** Connections that were tried while it was cut. */
  readonly attempts: number;
  /** As behind a firewall that forgot: what is sent over connections that are open goes nowhere. */
  silence(): void;
  /** Passes new connections on again. */
  restore(): void;
  /** As when an address moves to another server: every connection breaks, and new ones lead there. */
  leadTo(url: string): void;
  close(): Promise<void>;
}

/** @param config a `[db]` section that leads to PostgreSQL */
export async function startDatabaseProxy(config: string): Promise<DatabaseProxy> {
  const url = new URL(config.replace(/^db\.url = /, '').replaceAll('%%', '%'));
  const targetOf = ({ hostname, port }: URL) => ({ host: hostname, port: Number(port) });
  let target = targetOf(url);
  const sockets = new Set<Socket>();
  const silent = new WeakSet<Socket>();
  let isCut = false;
  let attempts = 0;
  const server = createServer((incoming) => {
    if (isCut) {
      attempts++;
      incoming.resetAndDestroy();
      return;
    }
    const outgoing = connect(target);
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      from.on('data', (chunk) => {
        if (!silent.has(incoming)) to.write(chunk);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => {});
    }
    sockets.add(incoming);
    incoming.on('close', () => sockets.delete(incoming));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url.port = String(typeof address === 'object' ? address?.port : '');

  function breakAll(): void {
    for (const socket of sockets) socket.resetAndDestroy();
  }

  function cut(): void {
    isCut = true;
    breakAll();
  }

  return {
    config: `db.url = ${url.href.replaceAll('%', '%%')}`,
    cut,
    get attempts() {
      return attempts;
    },
    silence() {
      for (const socket of sockets) silent.add(socket);
    },
    restore() {
      isCut = false;
    },
    leadTo(other) {
      target = targetOf(new URL(other));
      breakAll();
    },
    async close() {
      server.close();
      cut();
      if (server.listening) await once(server, 'close');
    },
  };
}
