import type { Clock } from '../../platform/clock.ts';
import { createFingerprint, FINGERPRINT_KEY_BYTES } from '../../platform/fingerprint.ts';
import type { Random } from '../../platform/random.ts';
import { registrableDomain } from '../../platform/registrable-domain.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { DatedAccount, Storage } from '../../storage/stores/index.ts';

/**
 * How many accounts older than a week each homeserver has. Counted beside requests, in a table of fixed size, however
 * many homeservers there are: of two that share a place in it, once in 262,144, each has the accounts of both.
 */
export interface HomeserverAccounts {
  /**
   * Goes through all accounts, some at a time, and counts anew. What is counted stands until it is done, and when it
   * fails.
   */
  count(): Promise<void>;
  /** The counting under way ends soon, and counts for nothing. */
  stop(): void;
  /** By what `homeserverKey` makes of a user id; undefined until all have been counted once. */
  of(homeserver: string): number | undefined;
}

export interface HomeserverAccountsDependencies {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
}

const WEEK = 7 * 24 * 60 * 60 * 1000;
const PLACES = 2 ** 18;
const BATCH = 500;

/** The name of a user's homeserver, in lower case. */
export const homeserverName = (userId: string) =>
  userId.slice(userId.indexOf(':') + 1).toLowerCase();

/** What limits count as the homeserver of a user. */
export const homeserverKey = (userId: string) => registrableDomain(homeserverName(userId));

export function createHomeserverAccounts(deps: HomeserverAccountsDependencies): HomeserverAccounts {
  const { storage, clock, random } = deps;
  const fingerprint = createFingerprint(random.bytes(FINGERPRINT_KEY_BYTES));
  const placeOf = (homeserver: string) => fingerprint(homeserver) % PLACES;
  let counts: Uint32Array | undefined;
  let stopped = false;

  return {
    async count() {
      const next = new Uint32Array(PLACES);
      const before = clock.now() - WEEK;
      let last: string | undefined = '';
      while (last !== undefined && !stopped) {
        const accounts: readonly DatedAccount[] = await storage.stores.accounts.listAfter(
          last,
          BATCH,
        );
        for (const { userId, createdAt } of accounts) {
          if (createdAt > before) continue;
          const place = placeOf(homeserverKey(userId));
          next[place] = (next[place] ?? 0) + 1;
        }
        const behind = accounts.at(-1)?.userId;
        // One that is no UTF-8 comes back as another text, behind which it stands still.
        last = behind === last ? undefined : behind;
        await yieldToEventLoop();
      }
      if (!stopped) counts = next;
    },
    stop() {
      stopped = true;
    },
    of: (homeserver) => counts?.[placeOf(homeserver)],
  };
}
