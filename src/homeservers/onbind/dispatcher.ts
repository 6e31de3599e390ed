import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import type { Leases } from '../../platform/leases.ts';
import type { OnbindMetrics } from '../../platform/onbind-metrics.ts';
import type { Random } from '../../platform/random.ts';
import { logFailure } from '../../platform/unavailable.ts';
import type { ClaimedServer, Storage } from '../../storage/stores/index.ts';
import type { DeliverNotice } from './delivery.ts';
import { createFailureNotes } from './failures.ts';
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
  readonly deliver: DeliverNotice;
  readonly clock: Clock;
  readonly random: Random;
  readonly leases: Leases;
  readonly logger: Logger;
  readonly metrics: OnbindMetrics;
  /** Milliseconds after which a notice to a homeserver that cannot be reached is given up. */
  readonly noticeLifetime: number;
  /** Milliseconds after the first refusal of a notice, after which the next is the last. */
  readonly refusedNoticeLifetime: number;
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

/**
 * So many homeservers are delivered to at a time: of all kinds; of such as answer, or have not had the
 * time for it, so that slow ones are not in the way of others; and of such as failed lately or are owed
 * only what they refused.
 */
const PLACES = { all: 128, quick: 32, troubled: 32 };
/** Milliseconds after which a homeserver counts as slow. */
const SLOW = 2000;

/** Milliseconds. */
const GATHER = 10;

const MEASURED_UP_TO = 100_000;

/** A homeserver that this process has claimed. */
interface Place {
  readonly troubled: boolean;
  slow: boolean;
  /** Aborts when the claim is lost or the dispatcher stops. */
  readonly ending: AbortController;
  readonly done: Promise<void>;
}

export function startDispatcher(deps: DispatcherDependencies): Dispatcher {
  const { storage, clock, leases, logger, metrics } = deps;
  const timings = { ...TIMINGS, ...deps.timings };
  const { onbindNotices } = storage.stores;
  const { holder } = leases;
  const failureNotes = createFailureNotes(storage, holder, logger);
  const places = new Map<string, Place>();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let newestFirst = false;
  let troubledToo = true;
  let waking: NodeJS.Timeout | undefined;

  function occupy(server: ClaimedServer, troubled: boolean): void {
    const ending = new AbortController();
    const timer = setTimeout(() => {
      place.slow = true;
      wake();
    }, SLOW);
    const session = runSession(server, {
      ...deps,
      holder,
      ending: ending.signal,
      noteFailure(failed) {
        place.slow = true;
        wakeSoon();
        const noted = failureNotes.add(failed);
        if (stopped) void failureNotes.flush();
        return noted;
      },
    });
    const done = session.then(() => {
      clearTimeout(timer);
      places.delete(server.serverName);
      wakeSoon();
    });
    const place: Place = { troubled, slow: false, ending, done };
    places.set(server.serverName, place);
  }

  function freePlaces(): { all: number; troubled: number } {
    let [quick, troubled] = [0, 0];
    for (const place of places.values()) {
      if (!place.slow) quick++;
      if (place.troubled) troubled++;
    }
    const all = Math.min(PLACES.all - places.size, PLACES.quick - quick);
    return { all, troubled: Math.min(all, PLACES.troubled - troubled) };
  }

  /** Claims homeservers whose turn it is, as many as there are places for. */
  async function claim(): Promise<void> {
    const now = clock.now();
    const free = freePlaces();
    // Those that failed only now and then: many of them must not keep the database busy.
    const ofTroubled = troubledToo ? free.troubled : 0;
    troubledToo = false;
    const due = {
      healthy: free.all > 0 && (await onbindNotices.hasDue(false, now)),
      troubled: ofTroubled > 0 && (await onbindNotices.hasDue(true, now)),
    };
    if (!due.healthy && !due.troubled) return;
    const claimed = await storage.transaction(async (stores) => {
      // By turns: a crowd of new ones that do not answer keeps neither those behind nor itself waiting.
      newestFirst = !newestFirst;
      // A claim of our own seems to have lapsed when the clock has stepped; and one that was given back a moment ago
      // would end without another look at what is owed.
      const except = [...places.keys()];
      const claims = { ...leases.lease(timings.lease), newestFirst, except };
      const healthy = await stores.onbindNotices.claim({
        ...claims,
        troubled: false,
        limit: free.all,
      });
      const limit = Math.min(free.all - healthy.length, ofTroubled);
      const troubled = await stores.onbindNotices.claim({ ...claims, troubled: true, limit });
      return { healthy, troubled };
    });
    for (const [servers, troubled] of [
      [claimed.healthy, false],
      [claimed.troubled, true],
    ] as const) {
      for (const server of servers) occupy(server, troubled);
    }
  }

  function wake(): void {
    if (stopped) return;
    lookAgain = true;
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }

  /** Places that become free at about the same time are given away at once. */
  function wakeSoon(): void {
    waking ??= setTimeout(() => {
      waking = undefined;
      wake();
    }, GATHER);
  }

  async function look(): Promise<void> {
    while (lookAgain && !stopped) {
      lookAgain = false;
      await claim().catch((error: unknown) =>
        logFailure(logger, error, 'Homeservers to be told could not be found'),
      );
    }
  }

  async function renew(): Promise<void> {
    if (places.size === 0) return;
    try {
      const asked = [...places];
      const held = await onbindNotices.renew(leases.lease(timings.lease), [...places.keys()]);
      for (const [name, place] of asked) if (!held.has(name)) place.ending.abort();
    } catch (error) {
      logFailure(logger, error, 'Claims on homeservers could not be renewed');
    }
  }

  metrics.observe(async () => {
    const { all, refused, oldest } = await onbindNotices.measure(MEASURED_UP_TO);
    return {
      size: all,
      refused,
      age: oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / 1000,
    };
  });
  const polling = setInterval(() => {
    troubledToo = true;
    void failureNotes.flush();
    wake();
  }, timings.poll);
  const renewing = setInterval(renew, timings.lease / 4);
  polling.unref();
  renewing.unref();
  wake();

  return {
    wake,
    async stop() {
      stopped = true;
      clearInterval(polling);
      clearTimeout(waking);
      await looking;
      for (const { ending } of places.values()) ending.abort();
      await failureNotes.flush();
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
