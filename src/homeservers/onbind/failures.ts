import type { Logger } from 'pino';
import { logFailure } from '../../platform/unavailable.ts';
import type { ClaimedServer, Release, Storage } from '../../storage/stores/index.ts';

/** That a claimed homeserver did not take something. */
export interface DeliveryFailure extends ClaimedServer, Pick<Release, 'dueAt' | 'failure'> {
  readonly postponed: readonly { id: number; attempts: number; until: number }[];
}

/**
 * Notes failureNotes, which ends the claims. Many at a time: they are not urgent, and however many
 * homeservers are down, the database is written to no more often.
 */
export function createFailureNotes(storage: Storage, holder: string, logger: Logger) {
  let waiting: { failed: DeliveryFailure; noted: () => void }[] = [];

  async function flush(): Promise<void> {
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    try {
      // Others change notices and homeservers, too, in an order of their own.
      await storage.logTransaction(async ({ onbindNotices }) => {
        for (const { failed } of batch) {
          const { postponed, ...server } = failed;
          for (const { id, attempts, until } of postponed) {
            await onbindNotices.postpone(id, attempts, until);
          }
          await onbindNotices.release({ ...server, holder, troubled: true });
        }
      });
    } catch (error) {
      // The claims lapse by themselves.
      logFailure(logger, error, 'What homeservers did not take could not be noted');
    }
    for (const { noted } of batch) noted();
  }

  return {
    /** Resolves when it is noted, which takes a flush. */
    add: (failed: DeliveryFailure) =>
      new Promise<void>((noted) => {
        waiting.push({ failed, noted });
      }),
    flush,
  };
}
