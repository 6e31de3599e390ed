import { Server as NetServer } from 'node:net';
import { setTimeout as passed } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { OperatorError } from '../../platform/operator-error.ts';
import { describeProcesses, listenersAt } from '../../platform/other-processes.ts';
import { type ConnectionTimes, connectionOptions, watchConnections } from './connections.ts';

/** Milliseconds for which connections are kept that nothing comes over, when others are to serve their clients. */
const LINGER = 3000;

/** Where a server listens. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
  /** The configuration key of the port, for who has to mend it. */
  readonly key?: string | undefined;
}

/** A server that listens. */
export interface Listening extends ListenAddress {
  /**
   * Leaves what comes to others that listen at the same place: takes no more connections, and answers what still comes
   * over those there are. Resolves when they are gone, or when `LINGER` is over.
   */
  leave(): Promise<void>;
  /** Takes no more work at once; resolves when the last connection is closed. */
  stop(): Promise<void>;
  /** Closes the connections that are left, whatever is under way. */
  cut(): void;
}

/** What the system says of an address where nothing can listen, for the operator; other errors stay as they are. */
function cannotListen(name: string, { port, key }: ListenAddress, error: unknown): unknown {
  const isSystems = error instanceof Error && 'syscall' in error;
  if (!isSystems) return error;
  const isTaken = 'code' in error && error.code === 'EADDRINUSE';
  const holders = isTaken ? describeProcesses(listenersAt(port)) : '';
  const message = [
    `The ${name} listener cannot listen${key === undefined ? '' : ` (${key})`}: ${error.message}`,
    ...(holders === '' ? [] : [`in use by ${holders}`]),
  ].join(', ');
  return new OperatorError(message, { cause: error });
}

/** Starts listening, and says so; where the machine has no IPv6, `::` means every IPv4 address. @throws OperatorError */
export async function listen(
  app: FastifyInstance,
  name: string,
  where: ListenAddress,
  times?: Partial<ConnectionTimes>,
): Promise<Listening> {
  const { address, port } = where;
  const connections = watchConnections(app.server, connectionOptions(times).stop);
  app.addHook('preClose', async () => connections.stop());
  const listenTextResolver = (url: string) => `The ${name} API listens at ${url}`;
  try {
    await app.listen({ host: address, port, listenTextResolver });
  } catch (error) {
    const noIpv6 = error instanceof Error && 'code' in error && error.code === 'EAFNOSUPPORT';
    if (!noIpv6 || address !== '::') throw cannotListen(name, where, error);
    await app.listen({ host: '0.0.0.0', port, listenTextResolver }).catch((reason: unknown) => {
      throw cannotListen(name, where, reason);
    });
  }
  const bound = app.server.address();
  let left: Promise<void> | undefined;
  let stopped: Promise<unknown> | undefined;
  // Node's server for HTTP would close the idle connections, over one of which a request may just be coming.
  const takeNoMore = () =>
    (left ??= new Promise((resolve) =>
      NetServer.prototype.close.call(app.server, () => resolve()),
    ));
  return {
    ...(bound === null || typeof bound === 'string' ? { address, port } : bound),
    async leave() {
      const gone = takeNoMore();
      connections.leave();
      const ending = new AbortController();
      await Promise.race([gone, passed(LINGER, undefined, ending).catch(() => {})]);
      ending.abort();
    },
    async stop() {
      // Before the first connection is closed: whoever sees that is not to reach this again, only to be thrown out.
      const gone = takeNoMore();
      connections.stop();
      stopped ??= Promise.all([gone, app.close()]);
      await stopped;
    },
    cut: connections.cut,
  };
}
