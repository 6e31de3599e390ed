import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { Storage } from '../../storage/stores/index.ts';

type TrailStorage = Pick<Storage, 'stores' | 'transaction'>;

/** Deletes what is older; how many entries. */
export const deleteOldTrail = (storage: TrailStorage, before: number): Promise<number> =>
  deleteInBatches((limit) => storage.transaction(({ audit }) => audit.removeBefore(before, limit)));

const AT_ONCE = 500;

/**
 * Calls somebody by another name in the whole trail: as the one whom entries are about, and in their details.
 * @param subject the folded address, or the user id
 * @param name of one who was erased: `identity/erasure/erased-names.ts`
 * @returns in how many entries
 */
export async function renameInTrail(
  storage: TrailStorage,
  subject: string,
  name: string,
): Promise<number> {
  let count = await storage.transaction(({ audit }) => audit.rename(subject, name));
  for (let after = 0; ; ) {
    const page = await storage.stores.audit.list({}, { after, limit: AT_ONCE });
    const named = page.filter(({ details }) => Object.values(details).includes(subject));
    if (named.length > 0) {
      await storage.transaction(async ({ audit }) => {
        for (const { id, details } of named) {
          const entries = Object.entries(details);
          const others = entries.map(([key, value]) => [key, value === subject ? name : value]);
          await audit.setDetails(id, Object.fromEntries(others));
        }
      });
    }
    count += named.length;
    const last = page.at(-1);
    if (last === undefined || page.length < AT_ONCE) return count;
    after = last.id;
    await yieldToEventLoop();
  }
}
