import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { Storage } from '../../storage/stores/index.ts';

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

  const keysUntil = now + rules.keyGrace;
  const deleteExpired = (limit: number) =>
    storage.logTransaction(({ invitations }) =>
      invitations.deleteReceivedBefore(now - rules.expiry, keysUntil, limit),
    );
  const expired = rules.expiry === 0 ? 0 : await deleteInBatches(deleteExpired);
  const outdated = await deleteInBatches((limit) =>
    storage.transaction(({ ephemeralKeys }) => ephemeralKeys.deleteExpired(now, limit)),
  );
  return expired + outdated;
}
