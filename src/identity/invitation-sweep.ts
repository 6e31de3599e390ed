import type { Clock } from '../platform/clock.ts';
import type { Storage, Stores } from '../storage/stores.ts';

const DELETED_AT_ONCE = 500;

/**
 * Deletes invitations and keys past their time; the number of both.
 * @param rules milliseconds; an `expiry` of 0: never
 */
export async function deleteOldInvitations(
  storage: Storage,
  clock: Clock,
  rules: { readonly expiry: number; readonly keyGrace: number },
): Promise<number> {
  const now = clock.now();

  /** Deletes until a batch is not full; the number deleted. */
  async function inBatches(deleteSome: (stores: Stores) => Promise<number>): Promise<number> {
    let deleted = 0;
    for (;;) {
      const batch = await storage.transaction(deleteSome);
      deleted += batch;
      if (batch < DELETED_AT_ONCE) return deleted;
    }
  }

  const expired = await inBatches(async ({ associations, invitations }) => {
    if (rules.expiry === 0) return 0;
    await associations.lockLog();
    const keysUntil = now + rules.keyGrace;
    return invitations.deleteReceivedBefore(now - rules.expiry, keysUntil, DELETED_AT_ONCE);
  });
  const outdated = await inBatches(({ ephemeralKeys }) =>
    ephemeralKeys.deleteExpired(now, DELETED_AT_ONCE),
  );
  return expired + outdated;
}
