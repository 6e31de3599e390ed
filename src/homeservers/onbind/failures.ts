import type { Logger } from 'pino';
import type { ClaimedServer, Storage } from '../../storage/stores/index.ts';

/** That a claimed homeserver did not take something. */
export interface Setback extends ClaimedServer {
  readonly dueAt: number;
  readonly postponed: readonly { id: number; attempts: number; until: number }[];
}

/**
 * Notes setbacks, which ends the claims. Many at a time: they are not urgent, and however many
 * homeservers are down, the database is written to no more often.
 */
export function createSetbacks(storage: Storage, holder: string, logger: Logger) {
  let waiting: { setback: Setback; noted: () => void }[] = [];

  async function flush(): Promise<void> {
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    try {
      await storage.transaction(async ({ associations, outbox }) => {
        // Others change notices and homeservers, too, in an order of their own.
        await associations.lockLog();
        for (const { setback } of batch) {
          const { postponed, ...server } = setback;
          for (const { id, attempts, until } of postponed) {
            await outbox.postpone(id, attempts, until);
          }
          await outbox.release({ ...server, holder, troubled: true });
        }
      });
    } catch (error) {
      // The claims lapse by themselves.
      logger.error({ err: error }, 'What homeservers did not take could not be noted');
    }
    for (const { noted } of batch) noted();
  }

  return {
    /** Resolves when it is noted, which takes a flush. */
    add: (setback: Setback) =>
      new Promise<void>((noted) => {
        waiting.push({ setback, noted });
      }),
    flush,
  };
}
