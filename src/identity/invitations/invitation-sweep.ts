import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { Storage } from '../../storage/stores/index.ts';

/** Mails that are looked at at once. */
const MAILS = 200;

/** Mails of invitations that Sydent, or an older version beside this one, has delivered or deleted. */
async function deleteStrayMails(storage: Storage): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined; await yieldToEventLoop()) {
    const { stray, next }: { stray: string[]; next: string | undefined } =
      await storage.stores.invitations.strayMails(after, MAILS);
    if (stray.length > 0) {
      await storage.logTransaction(({ invitations }) => invitations.deleteMails(stray));
    }
    after = next;
  }
}

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
  await deleteStrayMails(storage);
  return expired + outdated;
}
