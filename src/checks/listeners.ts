import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { Config } from '../config/config.ts';
import { type Listener, PORT_KEYS } from '../config/listener.ts';
import { describeProcesses, listenersAt } from '../platform/other-processes.ts';
import { readPidFile } from '../platform/pid-file.ts';
import { type Finding, ok, problem, reasonOf } from './finding.ts';

/** Where the server is to listen, by the key of the port. */
function listenersOf({ http, general, admin }: Config): (Listener & { readonly key: string })[] {
  const all: readonly [keyof typeof PORT_KEYS, Listener | undefined][] = [
    ['client', http.clientApi],
    ['internal', http.internalApi],
    ['metrics', general.prometheus],
    ['replication', http.replication],
    ['admin', admin.listener],
  ];
  return all.flatMap(([name, listener]) =>
    listener === undefined ? [] : [{ ...listener, key: PORT_KEYS[name] }],
  );
}

async function listen({ address, port }: Listener): Promise<Server> {
  const server = createServer().listen({ host: address, port, exclusive: true });
  await once(server, 'listening');
  return server;
}

const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

function notFree(where: Listener & { readonly key: string }, error: unknown, pidFile: string) {
  const about = `${where.key} = ${where.port}`;
  const other = 'choose another port';
  switch (codeOf(error)) {
    case 'EADDRINUSE': {
      const holders = listenersAt(where.port);
      if (holders.some(({ pid }) => pid === process.pid)) {
        return problem(about, 'another listener of this configuration has that port', other);
      }
      if (holders.some(({ pid }) => pid === readPidFile(pidFile))) {
        return ok(about, 'the server listens there already');
      }
      const by = describeProcesses(holders) || 'a process that the system does not show';
      return problem(about, `${where.address} is in use by ${by}`, `stop that first, or ${other}`);
    }
    case 'EACCES':
      return problem(
        about,
        'this user may not listen at that port',
        `${other}, from 1024 on, or give the right to it (CAP_NET_BIND_SERVICE)`,
      );
    case 'EADDRNOTAVAIL':
      return problem(
        `${where.key.replace(/_?port$/, (end) => (end === 'port' ? 'bind_address' : '_addr'))} = ${where.address}`,
        'this machine has no such address',
        'take one that it has, or :: for all',
      );
    default:
      return problem(about, `nothing can listen there: ${reasonOf(error)}`, other);
  }
}

/** Listens where the server will, all at once, and lets go again. */
export async function checkListeners(config: Config): Promise<Finding[]> {
  const open: Server[] = [];
  const findings: Finding[] = [];
  try {
    for (const where of listenersOf(config)) {
      try {
        // Where the machine has no IPv6, the server takes every IPv4 address instead.
        const server = await listen(where).catch((error: unknown) => {
          if (codeOf(error) !== 'EAFNOSUPPORT' || where.address !== '::') throw error;
          return listen({ ...where, address: '0.0.0.0' });
        });
        open.push(server);
        findings.push(ok(`${where.key} = ${where.port}`, `${where.address} is free`));
      } catch (error) {
        findings.push(notFree(where, error, config.general.pidFile));
      }
    }
  } finally {
    for (const server of open) server.close();
  }
  return findings;
}
