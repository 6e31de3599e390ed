import type { Logger } from 'pino';
import type { Notices } from '../../identity/notices.ts';
import type { Clock } from '../../platform/clock.ts';
import type { OutboxMetrics } from '../../platform/outbox-metrics.ts';
import type { Random } from '../../platform/random.ts';
import type { ClaimedServer, Storage } from '../../storage/stores.ts';
import { runSession } from './session.ts';

/** Delivers what is owed to homeservers, as long as it runs. */
export interface Dispatcher {
  /** Something new is owed: committed already. */
  wake(): void;
  /** Resolves when deliveries under way are done, or have taken too long; none starts after. */
  stop(): Promise<void>;
}

export interface DispatcherDependencies {
  readonly storage: Storage;
  readonly deliver: Notices['deliver'];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: OutboxMetrics;
  /** Milliseconds after which a notice is given up. */
  readonly noticeLifetime: number;
  /** Where they are not to be the usual ones. */
  readonly timings?: Partial<DispatcherTimings>;
}

/** Milliseconds. */
export interface DispatcherTimings {
  /** How often to look for what other processes wrote, and for what is to be tried again. */
  readonly poll: number;
  /** For how long a claim holds unless renewed: so late is taken over what a dead process had claimed. */
  readonly lease: number;
  /** How long a stop waits for deliveries under way. */
  readonly drain: number;
}

const TIMINGS: DispatcherTimings = { poll: 1000, lease: 8000, drain: 3000 };

/** So many homeservers are delivered to at a time, and so many of them may be such as failed lately. */
const PLACES = { all: 32, troubled: 16 };

const MEASURED_UP_TO = 100_000;

/** A homeserver that this process has claimed. */
interface Place {
  readonly troubled: boolean;
  /** Aborts when the claim is lost or the dispatcher stops. */
  readonly ending: AbortController;
  readonly done: Promise<void>;
}

export function startDispatcher(deps: DispatcherDependencies): Dispatcher {
  const { storage, clock, random, logger, metrics } = deps;
  const timings = { ...TIMINGS, ...deps.timings };
  const { outbox } = storage.stores;
  const holder = random.alphanumeric(16);
  const places = new Map<string, Place>();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  function occupy(server: ClaimedServer): void {
    const ending = new AbortController();
    const session = runSession(server, { ...deps, holder, ending: ending.signal });
    const done = session.then((more) => {
      places.delete(server.serverName);
      if (more) wake();
    });
    places.set(server.serverName, { troubled: server.failures > 0, ending, done });
  }

  /** Claims homeservers whose turn it is, as many as there are places for. */
  async function claim(): Promise<void> {
    const now = clock.now();
    if (places.size >= PLACES.all || !(await outbox.hasDue(now))) return;
    const servers = await storage.transaction(async (stores) => {
      const until = now + timings.lease;
      const common = { holder, now, until };
      const healthy = await stores.outbox.claim({
        ...common,
        troubled: false,
        limit: PLACES.all - places.size,
      });
      const free = PLACES.all - places.size - healthy.length;
      const inTrouble = [...places.values()].filter(({ troubled }) => troubled).length;
      const troubled = await stores.outbox.claim({
        ...common,
        troubled: true,
        limit: Math.min(free, PLACES.troubled - inTrouble),
      });
      return [...healthy, ...troubled];
    });
    // What this process itself has let lapse it goes on with.
    for (const server of servers) if (!places.has(server.serverName)) occupy(server);
  }

  function wake(): void {
    if (stopped) return;
    lookAgain = true;
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }

  async function look(): Promise<void> {
    while (lookAgain && !stopped) {
      lookAgain = false;
      await claim().catch((error: unknown) =>
        logger.error({ err: error }, 'Homeservers to be told could not be found'),
      );
    }
  }

  async function renew(): Promise<void> {
    if (places.size === 0) return;
    const until = clock.now() + timings.lease;
    try {
      const asked = [...places];
      const held = await outbox.renew(holder, [...places.keys()], until);
      for (const [name, place] of asked) if (!held.has(name)) place.ending.abort();
    } catch (error) {
      logger.error({ err: error }, 'Claims on homeservers could not be renewed');
    }
  }

  metrics.observe(async () => {
    const { size, oldest } = await outbox.measure(MEASURED_UP_TO);
    return { size, age: oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / 1000 };
  });
  const polling = setInterval(wake, timings.poll);
  const renewing = setInterval(renew, timings.lease / 4);
  polling.unref();
  renewing.unref();
  wake();

  return {
    wake,
    async stop() {
      stopped = true;
      clearInterval(polling);
      await looking;
      for (const { ending } of places.values()) ending.abort();
      const drained = Promise.all([...places.values()].map(({ done }) => done));
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise((resolve) => {
        timer = setTimeout(resolve, timings.drain);
      });
      await Promise.race([drained, limit]);
      clearTimeout(timer);
      clearInterval(renewing);
    },
  };
}
