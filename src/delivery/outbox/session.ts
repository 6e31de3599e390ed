import type { NotNow } from '../../identity/notices.ts';
import type { ClaimedServer, Notice } from '../../storage/stores.ts';
import { backoff } from './backoff.ts';
import type { DispatcherDependencies } from './dispatcher.ts';

export interface SessionDependencies extends DispatcherDependencies {
  /** The process that has the claim. */
  readonly holder: string;
  /** Aborts when no further delivery is to start. */
  readonly ending: AbortSignal;
}

/** Deliveries to one homeserver at a time. */
const WIDTH = 4;
const BATCH = 20;
/** After so many the others get their turn. */
const QUOTA = 200;
const GIVEN_UP_AT_ONCE = 500;

/**
 * Delivers to a claimed homeserver what is to be tried now, until it does not take something, and
 * gives the claim back. One that failed lately is tried with a single notice first.
 * Never rejects; resolves to whether there is more to do at once.
 */
export async function runSession(
  server: ClaimedServer,
  deps: SessionDependencies,
): Promise<boolean> {
  const { storage, clock, random, logger, metrics, holder, ending } = deps;
  const { serverName } = server;
  const { outbox } = storage.stores;
  let { failures } = server;
  let failure: NotNow | undefined;

  async function tryOut(notice: Notice): Promise<NotNow | undefined> {
    try {
      const result = await deps.deliver(notice);
      return result.kind === 'done' ? undefined : result;
    } catch (error) {
      logger.error({ err: error, homeserver: serverName }, 'A notice could not be delivered');
      return { kind: 'not-now', reason: 'an error of this server', wait: 0 };
    }
  }

  async function deliver(notice: Notice): Promise<void> {
    const notNow = await tryOut(notice);
    if (notNow === undefined) {
      failures = 0;
      return;
    }
    // What this server itself broke off says nothing of the other.
    if (ending.aborted) return;
    failure ??= notNow;
    metrics.notice('postponed');
    const attempts = notice.attempts + 1;
    await outbox.postpone(notice.id, attempts, clock.now() + backoff(attempts, random));
  }

  async function deliverDue(): Promise<void> {
    for (let taken = 0; taken < QUOTA && !ending.aborted && failure === undefined; ) {
      const width = failures > 0 ? 1 : WIDTH;
      const notices = await outbox.due(serverName, clock.now(), width === 1 ? 1 : BATCH);
      if (notices.length === 0) return;
      taken += notices.length;
      const queue = notices.values();
      const work = async () => {
        for (const notice of queue) {
          if (ending.aborted || failure !== undefined) return;
          await deliver(notice);
        }
      };
      await Promise.all(Array.from({ length: width }, work));
    }
  }

  /** When the homeserver's next turn is. */
  function nextTurn(): number {
    if (failure === undefined) return clock.now();
    failures++;
    const wait = Math.max(backoff(failures, random), failure.wait);
    logger.warn(
      { homeserver: serverName, reason: failure.reason, failures, retryInMs: wait },
      'A homeserver did not take a notice; it is tried again',
    );
    return clock.now() + wait;
  }

  async function release(): Promise<boolean> {
    const turn = nextTurn();
    return storage.transaction(async (stores) => {
      // With the lock nobody adds a notice between these two.
      await stores.associations.lockLog();
      const next = await stores.outbox.nextAttempt(serverName);
      if (next === undefined) {
        await stores.outbox.forget(serverName, holder);
        return false;
      }
      const dueAt = Math.max(turn, next);
      await stores.outbox.release({ serverName, holder, failures, dueAt });
      return dueAt <= clock.now();
    });
  }

  /** What is too old goes, once the homeserver has failed again. */
  async function giveUpOld(): Promise<void> {
    const before = clock.now() - deps.noticeLifetime;
    for (let count = GIVEN_UP_AT_ONCE; count === GIVEN_UP_AT_ONCE; ) {
      count = await storage.transaction(async (stores) => {
        await stores.associations.lockLog();
        return stores.outbox.removeCreatedBefore(serverName, before, GIVEN_UP_AT_ONCE);
      });
      if (count === 0) return;
      metrics.notice('given-up', count);
      logger.warn(
        { homeserver: serverName, count },
        'Gave up telling a homeserver of bindings; the invitations stay for the next bind',
      );
    }
  }

  try {
    await deliverDue();
    if (failure !== undefined) await giveUpOld();
    return await release();
  } catch (error) {
    // The claim lapses by itself.
    if (!ending.aborted) {
      logger.error({ err: error, homeserver: serverName }, 'Delivering to a homeserver failed');
    }
    return false;
  }
}
