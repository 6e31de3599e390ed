import type { FastifyInstance } from 'fastify';
import type { Listener } from '../../config/config.ts';
import { type ConnectionTimes, connectionOptions, watchConnections } from './connections.ts';

/** Starts listening, and says so; where the machine has no IPv6, `::` means every IPv4 address. */
export async function listen(
  app: FastifyInstance,
  name: string,
  { address, port }: Listener,
  times?: Partial<ConnectionTimes>,
): Promise<Listener> {
  const closeUnused = watchConnections(app.server, connectionOptions(times).stop);
  app.addHook('preClose', async () => closeUnused());
  const listenTextResolver = (url: string) => `The ${name} API listens at ${url}`;
  try {
    await app.listen({ host: address, port, listenTextResolver });
  } catch (error) {
    const noIpv6 = error instanceof Error && 'code' in error && error.code === 'EAFNOSUPPORT';
    if (!noIpv6 || address !== '::') throw error;
    await app.listen({ host: '0.0.0.0', port, listenTextResolver });
  }
  const bound = app.server.address();
  return bound === null || typeof bound === 'string' ? { address, port } : bound;
}
