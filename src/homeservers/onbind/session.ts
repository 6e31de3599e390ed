import { LONGEST_WAIT } from '../../model/notice-waits.ts';
import { backoff } from '../../platform/backoff.ts';
import { logFailure } from '../../platform/unavailable.ts';
import type { ClaimedServer, Notice } from '../../storage/stores/index.ts';
import type { NoticeResult, NotNow } from './delivery.ts';
import type { DispatcherDependencies } from './dispatcher.ts';
import type { DeliveryFailure } from './failures.ts';
import { giveUpOld, noteRefusals } from './giving-up.ts';

export interface SessionDependencies extends DispatcherDependencies {
  /** The process that has the claim. */
  readonly holder: string;
  /** Ends the claim on a homeserver that failed. */
  readonly noteFailure: (failed: DeliveryFailure) => Promise<void>;
  /** Aborts when no further delivery is to start. */
  readonly ending: AbortSignal;
}

/** Deliveries to one homeserver at a time, once it answered: those before it try it out. */
const WIDTH = 4;
const BATCH = 20;
/** After so many the others get their turn. */
const QUOTA = 200;
/** Characters of why it did not take something. */
const LONGEST_REASON = 300;
/** Of what it refused before it may refuse so many again, then it has its peace for so long (ms). */
const REFUSALS = { atOnce: 20, pause: 1000 };

/**
 * Delivers to a claimed homeserver what is to be tried now, until it cannot be reached, and gives the
 * claim back. What it refused before comes after everything else. Never rejects.
 */
export async function runSession(server: ClaimedServer, deps: SessionDependencies): Promise<void> {
  const { storage, clock, random, logger, metrics, holder, ending } = deps;
  const { serverName } = server;
  const { onbindNotices } = storage.stores;
  // A clock that has stepped back since would leave it in peace for long.
  const inPeaceUntil = Math.min(server.refusedDueAt, clock.now() + REFUSALS.pause);
  const postponed: Notice[] = [];
  let refused: Notice[] = [];
  let answered = false;
  let refusedAgain = 0;
  let failure: NotNow | undefined;
  let refusal: string | undefined;

  async function tryOut(notice: Notice): Promise<NoticeResult> {
    try {
      return await deps.deliver(notice.id);
    } catch (error) {
      logFailure(logger, error, 'A notice could not be delivered', { homeserver: serverName });
      return { kind: 'not-now', reason: 'an error of this server', wait: 0 };
    }
  }

  async function deliver(notice: Notice): Promise<void> {
    const result = await tryOut(notice);
    if (result.kind === 'withdrawn') return;
    if (result.kind === 'not-now') {
      // What this server itself broke off says nothing of the other.
      if (ending.aborted) return;
      failure ??= result;
      postponed.push(notice);
      return;
    }
    answered = true;
    if (result.kind !== 'refused') return;
    refusal = result.reason;
    refused.push(notice);
    if (notice.refusedAt !== undefined) refusedAgain++;
  }

  const because = (reason: string) => ({
    reason: reason.slice(0, LONGEST_REASON),
    at: clock.now(),
  });

  const refusedDueAt = () => (refusedAgain > 0 ? clock.now() + REFUSALS.pause : inPeaceUntil);

  async function nextDue(): Promise<Notice[]> {
    const now = clock.now();
    const limit = answered ? BATCH : 1;
    const fresh = await onbindNotices.due(serverName, now, limit);
    if (fresh.length > 0) return fresh;
    const left = now < inPeaceUntil ? 0 : REFUSALS.atOnce - refusedAgain;
    return left > 0 ? onbindNotices.dueRefused(serverName, now, Math.min(limit, left)) : [];
  }

  async function deliverDue(): Promise<void> {
    for (let tried = 0; tried < QUOTA && !ending.aborted && failure === undefined; ) {
      const notices = await nextDue();
      if (notices.length === 0) return;
      tried += notices.length;
      const queue = notices.values();
      const work = async () => {
        for (const notice of queue) {
          if (ending.aborted || failure !== undefined) return;
          await deliver(notice);
        }
      };
      await Promise.all(Array.from({ length: WIDTH }, work));
      const again = refused;
      refused = [];
      await noteRefusals(serverName, again, deps);
    }
  }

  /** What it did not take it is offered again, each time later. */
  async function backOff({ reason, wait }: NotNow): Promise<void> {
    const failures = (answered ? 0 : server.failures) + 1;
    const now = clock.now();
    const retryInMs = Math.max(backoff(failures, { random, longest: LONGEST_WAIT }), wait);
    metrics.notice('postponed', postponed.length);
    logger.warn(
      { homeserver: serverName, reason, failures, retryInMs },
      'A homeserver did not take a notice; it is tried again',
    );
    await deps.noteFailure({
      serverName,
      failures,
      refusedDueAt: refusedDueAt(),
      dueAt: now + retryInMs,
      failure: because(reason),
      postponed: postponed.map(({ id, attempts }) => {
        const until = now + backoff(attempts + 1, { random, longest: LONGEST_WAIT });
        return { id, attempts: attempts + 1, until };
      }),
    });
  }

  /** Ends the claim. */
  async function release(): Promise<void> {
    const failures = answered ? 0 : server.failures;
    await storage.logTransaction(async (stores) => {
      // With the lock nobody adds a notice between these two.
      const next = await stores.onbindNotices.nextAttempts(serverName);
      if (next.fresh === undefined && next.refused === undefined) {
        await stores.onbindNotices.forget(serverName, holder);
        return;
      }
      const again = Math.max(next.refused ?? Infinity, refusedDueAt());
      await stores.onbindNotices.release({
        serverName,
        holder,
        failures,
        refusedDueAt: refusedDueAt(),
        // What is offered again can wait, and has its own share of the places.
        troubled: failures > 0 || next.fresh === undefined,
        dueAt: Math.max(clock.now(), Math.min(next.fresh ?? Infinity, again)),
        failure: refusal === undefined ? undefined : because(`refused: ${refusal}`),
      });
    });
  }

  try {
    await deliverDue();
    if (failure === undefined) return await release();
    await giveUpOld(serverName, deps);
    await backOff(failure);
  } catch (error) {
    // The claim lapses by itself.
    if (!ending.aborted) {
      logFailure(logger, error, 'Delivering to a homeserver failed', { homeserver: serverName });
    }
  }
}
