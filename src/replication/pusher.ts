import { repeat } from '../platform/repeat.ts';
import { logFailure } from '../platform/unavailable.ts';
import type { Peer } from '../storage/stores/index.ts';
import { ofPeer, takesPart } from './peers.ts';
import { startWorker, type Worker, type WorkerDependencies } from './worker.ts';

export interface PusherDependencies extends Omit<WorkerDependencies, 'configuredUrl'> {
  /** By the peer's name: where it is pushed to, from the configuration. */
  readonly configuredUrls: ReadonlyMap<string, string>;
}

/** Pushes what this server says of addresses to all peers, each by itself. */
export interface Pusher {
  /** An association was committed. */
  wake(): void;
  stop(): Promise<void>;
}

/** Milliseconds between looks for peers that changed, and for associations other processes wrote. */
const POLL = 500;

/** What, when it changes, makes a new attempt worth while. */
const targetOf = ({ port, url, keys }: Peer) => JSON.stringify([port, url, keys]);

export function startPusher({ configuredUrls, ...deps }: PusherDependencies): Pusher {
  const { storage, logger, metrics } = deps;
  const workers = new Map<string, { worker: Worker; target: string }>();

  async function poll(): Promise<void> {
    const peers = (await storage.stores.peers.list()).filter(takesPart);
    const highest = await storage.stores.replicated.highestLogId();
    for (const peer of peers) {
      const backlog = Math.max(0, highest - (peer.lastSent ?? 0));
      metrics.backlog(peer.name, backlog);
      const target = targetOf(peer);
      const known = workers.get(peer.name);
      if (known === undefined) {
        const configuredUrl = ofPeer(configuredUrls, peer.name);
        workers.set(peer.name, {
          worker: startWorker(peer.name, { ...deps, configuredUrl }),
          target,
        });
        continue;
      }
      if (known.target !== target) known.worker.retry();
      known.target = target;
      if (backlog > 0) known.worker.wake();
    }
    const names = new Set(peers.map((peer) => peer.name));
    for (const [name, { worker }] of workers) {
      if (names.has(name)) continue;
      workers.delete(name);
      await worker.stop();
      metrics.forget(name);
    }
  }

  const polling = repeat(POLL, () =>
    poll().catch((error: unknown) => {
      logFailure(logger, error, 'The peers could not be read');
    }),
  );
  return {
    wake() {
      for (const { worker } of workers.values()) worker.wake();
    },
    async stop() {
      await polling.stop();
      await Promise.all([...workers.values()].map(({ worker }) => worker.stop()));
    },
  };
}
