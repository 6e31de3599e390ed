import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import { deleteInBatches } from '../platform/delete-in-batches.ts';
import { logFailure } from '../platform/unavailable.ts';
import type { Storage } from '../storage/stores/index.ts';

/** A deletion is kept so long in any case: it dates what is bound after it, should the clock step back. */
const KEPT = 24 * 60 * 60 * 1000;

/** Deletes entries of the log that say "deleted" once every peer has them; never rejects. */
export async function pruneLog(storage: Storage, clock: Clock, logger: Logger): Promise<void> {
  try {
    const before = clock.now() - KEPT;
    const count = await deleteInBatches((limit) =>
      storage.logTransaction((stores) => stores.replicated.pruneLog(before, limit)),
    );
    if (count > 0) logger.info({ count }, 'Pruned deletions that every peer has');
    await storage.stores.replicated.forgetDeletions(before);
  } catch (error) {
    logFailure(logger, error, 'The replication log could not be pruned');
  }
}
