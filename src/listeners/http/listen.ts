import type { FastifyInstance } from 'fastify';
import { OperatorError } from '../../platform/operator-error.ts';
import { type ConnectionTimes, connectionOptions, watchConnections } from './connections.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** A server that listens. */
export interface Listening extends ListenAddress {
  /** Takes no more work at once; resolves when the last connection is closed. */
  stop(): Promise<void>;
  /** Closes the connections that are left, whatever is under way. */
  cut(): void;
}

/** What the system says of an address where nothing can listen, for the operator; other errors stay as they are. */
function cannotListen(name: string, error: unknown): unknown {
  const isSystems = error instanceof Error && 'syscall' in error;
  if (!isSystems) return error;
  return new OperatorError(`The ${name} listener cannot listen: ${error.message}`, {
    cause: error,
  });
}

/** Starts listening, and says so; where the machine has no IPv6, `::` means every IPv4 address. @throws OperatorError */
export async function listen(
  app: FastifyInstance,
  name: string,
  { address, port }: ListenAddress,
  times?: Partial<ConnectionTimes>,
): Promise<Listening> {
  const connections = watchConnections(app.server, connectionOptions(times).stop);
  app.addHook('preClose', async () => connections.stop());
  const listenTextResolver = (url: string) => `The ${name} API listens at ${url}`;
  try {
    await app.listen({ host: address, port, listenTextResolver });
  } catch (error) {
    const noIpv6 = error instanceof Error && 'code' in error && error.code === 'EAFNOSUPPORT';
    if (!noIpv6 || address !== '::') throw cannotListen(name, error);
    await app.listen({ host: '0.0.0.0', port, listenTextResolver }).catch((reason: unknown) => {
      throw cannotListen(name, reason);
    });
  }
  const bound = app.server.address();
  let stopped: Promise<void> | undefined;
  return {
    ...(bound === null || typeof bound === 'string' ? { address, port } : bound),
    stop() {
      connections.stop();
      stopped ??= app.close();
      return stopped;
    },
    cut: connections.cut,
  };
}
