import type { NotNow } from '../../identity/notices.ts';
import type { ClaimedServer, Notice } from '../../storage/stores.ts';
import { backoff } from './backoff.ts';
import type { DispatcherDependencies } from './dispatcher.ts';
import type { Setback } from './setbacks.ts';

export interface SessionDependencies extends DispatcherDependencies {
  /** The process that has the claim. */
  readonly holder: string;
  /** Ends the claim on a homeserver that failed. */
  readonly noteSetback: (setback: Setback) => Promise<void>;
  /** Aborts when no further delivery is to start. */
  readonly ending: AbortSignal;
}

/** Deliveries to one homeserver at a time, once one was taken: those before it try it out. */
const WIDTH = 4;
const BATCH = 20;
/** After so many the others get their turn. */
const QUOTA = 200;
const GIVEN_UP_AT_ONCE = 500;

/**
 * Delivers to a claimed homeserver what is to be tried now, until it does not take something, and
 * gives the claim back. Never rejects.
 */
export async function runSession(server: ClaimedServer, deps: SessionDependencies): Promise<void> {
  const { storage, clock, random, logger, metrics, holder, ending } = deps;
  const { serverName } = server;
  const { outbox } = storage.stores;
  const postponed: Notice[] = [];
  let taken = 0;
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
      taken++;
      return;
    }
    // What this server itself broke off says nothing of the other.
    if (ending.aborted) return;
    failure ??= notNow;
    postponed.push(notice);
  }

  async function deliverDue(): Promise<void> {
    for (let tried = 0; tried < QUOTA && !ending.aborted && failure === undefined; ) {
      const width = taken === 0 ? 1 : WIDTH;
      const notices = await outbox.due(serverName, clock.now(), taken === 0 ? 1 : BATCH);
      if (notices.length === 0) return;
      tried += notices.length;
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

  /** What it did not take it is offered again, each time later. */
  async function backOff({ reason, wait }: NotNow): Promise<void> {
    const failures = (taken > 0 ? 0 : server.failures) + 1;
    const now = clock.now();
    const retryInMs = Math.max(backoff(failures, random), wait);
    metrics.notice('postponed', postponed.length);
    logger.warn(
      { homeserver: serverName, reason, failures, retryInMs },
      'A homeserver did not take a notice; it is tried again',
    );
    await deps.noteSetback({
      ...{ serverName, failures, dueAt: now + retryInMs },
      postponed: postponed.map(({ id, attempts }) => {
        const until = now + backoff(attempts + 1, random);
        return { id, attempts: attempts + 1, until };
      }),
    });
  }

  /** Ends the claim. */
  async function release(): Promise<void> {
    const failures = taken > 0 ? 0 : server.failures;
    await storage.transaction(async (stores) => {
      // With the lock nobody adds a notice between these two.
      await stores.associations.lockLog();
      const next = await stores.outbox.nextAttempt(serverName);
      if (next === undefined) {
        await stores.outbox.forget(serverName, holder);
        return;
      }
      const dueAt = Math.max(clock.now(), next);
      await stores.outbox.release({ serverName, holder, failures, dueAt });
    });
  }

  /** What is too old goes, once the homeserver has failed again. */
  async function giveUpOld(): Promise<void> {
    const before = clock.now() - deps.noticeLifetime;
    while (((await outbox.oldest(serverName)) ?? Number.POSITIVE_INFINITY) <= before) {
      const count = await storage.transaction(async (stores) => {
        await stores.associations.lockLog();
        return stores.outbox.removeCreatedBefore(serverName, before, GIVEN_UP_AT_ONCE);
      });
      metrics.notice('given-up', count);
      logger.warn(
        { homeserver: serverName, count },
        'Gave up telling a homeserver of bindings; the invitations stay for the next bind',
      );
    }
  }

  try {
    await deliverDue();
    if (failure === undefined) return await release();
    await giveUpOld();
    await backOff(failure);
  } catch (error) {
    // The claim lapses by itself.
    if (!ending.aborted) {
      logger.error({ err: error, homeserver: serverName }, 'Delivering to a homeserver failed');
    }
  }
}
