import { createHmac } from 'node:crypto';
import type { Clock } from '../platform/clock.ts';
import { createExpiringCache } from '../platform/expiring-cache.ts';
import type { Random } from '../platform/random.ts';
import type { Storage } from '../storage/stores/index.ts';

/**
 * What the log calls client networks: the same name in all processes for a week, by which abuse can be
 * followed, and which nobody can resolve once the week's key is gone.
 */
export interface NetworkNames {
  /** The network's name this week; undefined while there is no key. */
  of(network: string): string | undefined;
  /** Sees to the keys of this week and the next, and forgets those of weeks that are over. */
  renew(): Promise<void>;
}

export interface NetworkNamesDependencies {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
}

const DAY = 24 * 60 * 60 * 1000;
/** The first of January 1970 was a Thursday; weeks begin on Mondays. */
const weekOf = (time: number) => Math.floor((time / DAY + 3) / 7);
/** When the names that networks have at that time end. */
export const endOfNames = (time: number): number => ((weekOf(time) + 1) * 7 - 3) * DAY;
/** Another process's clock may be that late: it still needs the key. */
const GRACE = 60 * 60 * 1000;
const KEY_BYTES = 32;
/** 72 bits: no two networks have the same name. */
const NAME_LENGTH = 12;
/** Names kept: most requests come from networks that made others just before. */
const REMEMBERED = 1000;

export function createNetworkNames(deps: NetworkNamesDependencies): NetworkNames {
  const { storage, clock, random } = deps;
  let keys: ReadonlyMap<number, string> = new Map();
  /** By the key of the week. */
  let names = { key: '', of: createExpiringCache<string>(clock, REMEMBERED) };

  return {
    of(network) {
      const key = keys.get(weekOf(clock.now()));
      if (key === undefined) return undefined;
      if (names.key !== key) names = { key, of: createExpiringCache(clock, REMEMBERED) };
      const remembered = names.of.get(network);
      if (remembered !== undefined) return remembered;
      const digest = createHmac('sha256', key).update(network).digest('base64url');
      const name = digest.slice(0, NAME_LENGTH);
      names.of.set(network, name, 7 * DAY);
      return name;
    },

    async renew() {
      const { networkKeys } = storage.stores;
      const now = clock.now();
      const found = new Map<number, string>();
      // The next one, too: when a week begins all processes have its key already.
      for (const week of [weekOf(now), weekOf(now) + 1]) {
        const fresh = random.bytes(KEY_BYTES).toString('base64');
        found.set(week, await networkKeys.keyOf(week, fresh));
      }
      keys = found;
      await networkKeys.deleteBefore(weekOf(now - GRACE));
    },
  };
}
