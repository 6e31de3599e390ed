import { yieldToEventLoop } from './yield-to-event-loop.ts';

const AT_ONCE = 500;

/**
 * Deletes until a batch is not full, and lets others have their turn between two; how many there were.
 * @param deleteSome deletes that many at most, in a transaction of its own; how many there were
 */
export async function deleteInBatches(
  deleteSome: (limit: number) => Promise<number>,
): Promise<number> {
  for (let deleted = 0; ; ) {
    const batch = await deleteSome(AT_ONCE);
    deleted += batch;
    if (batch < AT_ONCE) return deleted;
    await yieldToEventLoop();
  }
}
