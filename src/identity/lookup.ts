import type { Clock } from '../platform/clock.ts';
import type { Storage } from '../storage/stores.ts';
import { foldAddress } from './addresses.ts';
import { IdentityError } from './errors.ts';
import type { ServerKeys } from './server-keys.ts';
import { forLookup } from './signed-association.ts';

/** Finding out whose an address is. */
export interface Lookup {
  /** The newest valid association of the address, signed; undefined when there is none. */
  find(medium: string, address: string): Promise<object | undefined>;
  /**
   * The users of many addresses at once: `[medium, address as stored, mxid]`, those without one left out.
   * @throws IdentityError `too-many-addresses`
   */
  findMany(threepids: readonly QueriedThreePid[]): Promise<[string, string, string][]>;
}

export type QueriedThreePid = readonly [medium: string, address: string];

export interface LookupDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly addressLimit: number;
}

/** So many keys are looked up in one statement; between statements others get their turn. */
const BATCH = 500;

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Dated {
  readonly ts: number;
  readonly id: number;
}

function isNewer(candidate: Dated, than: Dated | undefined): boolean {
  if (than === undefined) return true;
  return candidate.ts > than.ts || (candidate.ts === than.ts && candidate.id > than.id);
}

export function createLookup({ storage, keys, clock, addressLimit }: LookupDependencies): Lookup {
  const { lookups } = storage.stores;
  return {
    async find(medium, address) {
      const found = await lookups.signedByAddress(
        medium,
        foldAddress(medium, address),
        clock.now(),
      );
      let newest: (typeof found)[number] | undefined;
      for (const association of found) if (isNewer(association, newest)) newest = association;
      return newest && forLookup(newest.signedJson, keys);
    },

    async findMany(threepids) {
      if (threepids.length > addressLimit) {
        throw new IdentityError(
          'too-many-addresses',
          `At most ${addressLimit} addresses can be looked up at once`,
        );
      }
      const now = clock.now();
      const newest = new Map<string, Awaited<ReturnType<typeof lookups.byAddresses>>[number]>();
      const folded = threepids.map(([medium, address]) => foldAddress(medium, address));
      for (let from = 0; from < folded.length; from += BATCH) {
        if (from > 0) await nextTurn();
        const batch = [...new Set(folded.slice(from, from + BATCH))];
        for (const association of await lookups.byAddresses(batch, now)) {
          const key = `${association.medium} ${association.key}`;
          if (isNewer(association, newest.get(key))) newest.set(key, association);
        }
      }
      return threepids.flatMap(([medium], index): [string, string, string][] => {
        const found = newest.get(`${medium} ${folded[index]}`);
        return found ? [[medium, found.address, found.mxid]] : [];
      });
    },
  };
}
