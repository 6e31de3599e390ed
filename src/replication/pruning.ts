import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import { nextTurn } from '../platform/next-turn.ts';
import type { Storage } from '../storage/stores.ts';

/** A deletion is kept so long in any case: it dates what is bound after it, should the clock step back. */
const KEPT = 24 * 60 * 60 * 1000;
const BATCH = 500;

/** Deletes entries of the log that say "deleted" once every peer has them; never rejects. */
export async function pruneLog(storage: Storage, clock: Clock, logger: Logger): Promise<void> {
  try {
    const before = clock.now() - KEPT;
    for (let count = 0; ; ) {
      const pruned = await storage.transaction(async (stores) => {
        await stores.associations.lockLog();
        return stores.replicated.pruneLog(before, BATCH);
      });
      count += pruned;
      if (pruned < BATCH) {
        if (count > 0) logger.info({ count }, 'Pruned deletions that every peer has');
        break;
      }
      await nextTurn();
    }
    await storage.stores.replicated.forgetDeletions(before);
  } catch (error) {
    logger.error({ err: error }, 'The replication log could not be pruned');
  }
}
