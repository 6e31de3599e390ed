import { foldAddress } from '../../model/addresses.ts';
import { IdentityError } from '../../model/errors.ts';
import { lookupHash } from '../../model/lookup-hash.ts';
import { isNewer, newestOf } from '../../model/precedence.ts';
import type { Clock } from '../../platform/clock.ts';
import { createSemaphore } from '../../platform/semaphore.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type {
  FoundAssociation,
  FoundByHash,
  LookupStore,
  Storage,
} from '../../storage/stores/index.ts';
import type { Caller } from '../limits/charges.ts';
import type { LookupLimits } from '../limits/lookup-limits.ts';
import type { PeppersInForce } from '../peppers/peppers-in-force.ts';
import type { ServerKeys } from '../server-keys.ts';
import { forLookup, type SignedAssociation } from './signed-association.ts';

/**
 * Finding out whose an address is. Before anything is looked up the caller is charged for it.
 * @throws IdentityError `limit-exceeded`, all of it
 */
export interface Lookup {
  /** The newest valid association of the address, signed; undefined when there is none. */
  find(medium: string, address: string, caller: Caller): Promise<SignedAssociation | undefined>;
  /**
   * The users of many addresses at once: `[medium, address as stored, mxid]`, those without one left out.
   * @throws IdentityError `too-many-addresses`
   */
  findMany(
    threepids: readonly QueriedThreePid[],
    caller: Caller,
  ): Promise<[string, string, string][]>;
  /** How addresses are to be written for `findMapped`. */
  hashDetails(): Promise<HashDetails>;
  /**
   * The users of addresses that are hashed (`sha256`), or written as `address medium` (`none`):
   * by the address exactly as given, those without one left out.
   * @throws IdentityError `parameter-invalid`, `pepper-invalid`, `too-many-addresses`
   */
  findMapped(query: MappedQuery, caller: Caller): Promise<ReadonlyMap<string, string>>;
  /** The user whom an address, in whatever spelling, is bound to; undefined when there is none. */
  userOf(medium: string, address: string, caller: Caller): Promise<string | undefined>;
}

export interface HashDetails {
  readonly algorithms: readonly Algorithm[];
  readonly pepper: string;
  /** Those before it that still work. */
  readonly former: readonly string[];
}

/** Identity Service API, "Association Lookup". */
export type Algorithm = 'sha256' | 'none';

export interface MappedQuery {
  readonly addresses: readonly string[];
  readonly algorithm: string;
  readonly pepper: string;
}

export type QueriedThreePid = readonly [medium: string, address: string];

export interface LookupDependencies {
  readonly storage: Storage;
  readonly peppers: PeppersInForce;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly limits: Pick<LookupLimits, 'admit'>;
  readonly addressLimit: number;
  /** Whether addresses may be asked for unhashed in v2. */
  readonly allowNone: boolean;
}

/** So many keys are looked up in one statement, and before each statement and the answer others get their turn. */
const BATCH = 500;
/**
 * Of lookups of more addresses than that so many are under way, and the others wait: one of 10,000 has some megabytes
 * until it is answered.
 */
const LARGE = { addresses: 1000, places: 2 };

/** Medium and address of `address medium`; undefined when it is nothing of that kind. */
function parsePlain(entry: string): QueriedThreePid | undefined {
  const space = entry.lastIndexOf(' ');
  return space < 1 ? undefined : [entry.slice(space + 1), entry.slice(0, space)];
}

export function createLookup(deps: LookupDependencies): Lookup {
  const { storage, peppers, keys, clock, limits, addressLimit } = deps;
  const { lookups } = storage.stores;
  const large = createSemaphore({ waiting: { each: Number.POSITIVE_INFINITY } });
  const algorithms: readonly Algorithm[] = deps.allowNone ? ['sha256', 'none'] : ['sha256'];

  function refuseTooMany(count: number): void {
    if (count <= addressLimit) return;
    throw new IdentityError(
      'too-many-addresses',
      `At most ${addressLimit} addresses can be looked up at once`,
    );
  }

  /** Charges the caller for the addresses, and looks them up, when there is a place for so many. */
  async function admitted<T>(
    caller: Caller,
    addresses: readonly string[],
    find: () => Promise<T>,
  ): Promise<T> {
    const place =
      addresses.length > LARGE.addresses ? large.enter('lookup', LARGE.places) : undefined;
    await place?.turn;
    try {
      await limits.admit(caller, addresses);
      return await find();
    } finally {
      place?.leave();
    }
  }

  /**
   * Takes the newest association for each key, by a name that `nameOf` gives it, which no other key's has. What else was
   * found of it is gone by the next statement: of many keys it would fill the memory.
   */
  async function takeNewest<Found extends FoundByHash>(
    find: (keys: readonly string[], now: number) => Promise<Found[]>,
    queried: readonly string[],
    nameOf: (found: Found) => string,
    take: (name: string, newest: Found) => void,
  ): Promise<void> {
    const now = clock.latest();
    const keys = [...new Set(queried)];
    for (let from = 0; from < keys.length; from += BATCH) {
      if (keys.length > BATCH) await yieldToEventLoop();
      const newest = new Map<string, Found>();
      for (const association of await find(keys.slice(from, from + BATCH), now)) {
        const name = nameOf(association);
        if (isNewer(association, newest.get(name))) newest.set(name, association);
      }
      for (const [name, association] of newest) take(name, association);
    }
    if (keys.length > BATCH) await yieldToEventLoop();
  }

  /** The association of each address, in their order. */
  async function findPlain(
    threepids: readonly (QueriedThreePid | undefined)[],
  ): Promise<(FoundAssociation | undefined)[]> {
    const folded: (string | undefined)[] = [];
    for (const pair of threepids) {
      if (folded.length % BATCH === BATCH - 1) await yieldToEventLoop();
      folded.push(pair && foldAddress(...pair));
    }
    const newest = new Map<string, FoundAssociation>();
    await takeNewest(
      lookups.byAddresses,
      folded.filter((address) => address !== undefined),
      (found) => `${found.medium} ${found.key}`,
      (name, association) => newest.set(name, association),
    );
    return threepids.map((pair, index) => pair && newest.get(`${pair[0]} ${folded[index]}`));
  }

  return {
    async find(medium, address, caller) {
      await limits.admit(caller, [`${address} ${medium}`]);
      const found = await lookups.signedByAddress(
        medium,
        foldAddress(medium, address),
        clock.latest(),
      );
      const newest = newestOf(found);
      return newest && forLookup(newest, keys);
    },

    async findMany(threepids, caller) {
      refuseTooMany(threepids.length);
      const asked = threepids.map(([medium, address]) => `${address} ${medium}`);
      const found = await admitted(caller, asked, () => findPlain(threepids));
      return found.flatMap((association): [string, string, string][] =>
        association ? [[association.medium, association.address, association.mxid]] : [],
      );
    },

    async hashDetails() {
      const [current, ...former] = await peppers.all();
      return { algorithms, pepper: current.pepper, former: former.map(({ pepper }) => pepper) };
    },

    async findMapped({ addresses, algorithm, pepper }, caller) {
      if (!algorithms.some((known) => known === algorithm)) {
        throw new IdentityError(
          'parameter-invalid',
          `algorithm must be one of ${algorithms.join(', ')}`,
        );
      }
      const number = await peppers.numberOf(pepper);
      if (number === undefined) {
        const [current] = await peppers.all();
        throw new IdentityError('pepper-invalid', 'The pepper is not the one in use', {
          details: { algorithm, lookup_pepper: current.pepper },
        });
      }
      refuseTooMany(addresses.length);
      const users = new Map<string, string>();
      if (algorithm === 'none') {
        const found = await admitted(caller, addresses, () => findPlain(addresses.map(parsePlain)));
        for (const [index, association] of found.entries()) {
          if (association) users.set(addresses[index] ?? '', association.mxid);
        }
        return users;
      }
      await admitted(caller, addresses, () =>
        takeNewest(
          (hashes, now) => lookups.byHashes(hashes, now, number),
          addresses,
          ({ key }) => key,
          (hash, { mxid }) => users.set(hash, mxid),
        ),
      );
      return users;
    },

    async userOf(medium, address, caller) {
      // As homeservers ask by hash, just before: then it is free.
      const [current] = await peppers.all();
      await limits.admit(caller, [lookupHash(address, medium, current.pepper)]);
      return currentMxid(lookups, medium, foldAddress(medium, address), clock.latest());
    },
  };
}

/** The user whom the folded address is bound to now; undefined when there is none. */
export async function currentMxid(
  lookups: LookupStore,
  medium: string,
  address: string,
  now: number,
): Promise<string | undefined> {
  const found = await lookups.byAddresses([address], now);
  return newestOf(found.filter((association) => association.medium === medium))?.mxid;
}
