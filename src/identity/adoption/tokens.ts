import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { AdoptionDependencies } from './dependencies.ts';

const BATCH = 500;

/** Dates the access tokens that Sydent made: unused from now on. Takes its time while the server runs. */
export async function dateTokens({
  storage,
  clock,
}: Pick<AdoptionDependencies, 'storage' | 'clock'>): Promise<void> {
  let last: string | undefined = '';
  while (last !== undefined) {
    const after: string = last;
    const next = await storage.transaction(({ accounts }) =>
      accounts.dateTokens(after, clock.now(), BATCH),
    );
    // One that is no UTF-8 comes back as another text, behind which it stands still.
    last = next === after ? undefined : next;
    await yieldToEventLoop();
  }
}
