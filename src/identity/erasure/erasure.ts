import { foldAddress } from '../../model/addresses.ts';
import { dateAfter } from '../../model/precedence.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type {
  BoundRow,
  KeptRow,
  OpenTransaction,
  Person,
  Storage,
} from '../../storage/stores/index.ts';
import { lastLogged, sayDeleted } from '../associations/associations.ts';
import { bindingInForce } from '../associations/bind-many.ts';
import { refusedSince } from '../invitations/refusal-links.ts';
import { forgetLimitHits } from '../limits/limit-hits.ts';
import { renameInTrail } from '../operators/trail.ts';
import { nameForErasing, nameForTrail } from './erased-names.ts';

export interface ErasureDependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly serverName: string;
  /** Milliseconds that a deletion waits for peers at most. */
  readonly tombstoneLifetime: number;
}

/** What is kept of someone, by where it is. */
export type Kept = Record<string, KeptRow[]>;

/** An address of a person. */
export interface OwnedAddress extends BoundRow {
  /** Whether it is somebody else's by now: only what names the person is theirs. */
  readonly isOfAnother: boolean;
}

/** What was said of a user's addresses, and of what kind. */
const BINDINGS = 'bindings';
const STATEMENTS = 'replication_log';
/** What operators did about someone: it is not theirs, and stays without their name. */
export const TRAIL = 'operators_trail';
/** That they want no invitations: it is no more than a hash, and to be heeded after they were erased, too. */
export const REFUSAL = 'refused_invitations';

/** Erased in one transaction. */
const AT_ONCE = 200;

type Address = Extract<Person, { kind: 'address' }>;

/** The addresses that are bound to a user, by whomever. Goes through all associations. */
export async function addressesOf(
  { storage, clock }: Pick<ErasureDependencies, 'storage' | 'clock'>,
  mxid: string,
): Promise<OwnedAddress[]> {
  const { persons } = storage.stores;
  const found = new Map<string, BoundRow>();
  for (const table of ['local', 'global'] as const) {
    for (let from: number | undefined = 0; from !== undefined; ) {
      const { rows, next }: Awaited<ReturnType<typeof persons.boundTo>> = await persons.boundTo(
        mxid,
        table,
        from,
      );
      for (const { medium, address } of rows) {
        const folded = foldAddress(medium, address);
        found.set(`${medium} ${folded}`, { medium, address: folded });
      }
      from = next;
      await yieldToEventLoop();
    }
  }
  const now = clock.now();
  const owned: OwnedAddress[] = [];
  for (const { medium, address } of found.values()) {
    const counts = await bindingInForce(storage, { medium, address }, now);
    owned.push({ medium, address, isOfAnother: counts !== undefined && counts.mxid !== mxid });
  }
  return owned;
}

/** Whom an address is of, beside what it names alone. */
const isOf = (mxid: string | undefined) => (row: KeptRow) =>
  mxid === undefined || row['mxid'] === mxid;

/** Everything that is kept of a person alone, so many of a kind at most: of a user without their addresses. */
export async function keptOf(
  { storage }: Pick<ErasureDependencies, 'storage'>,
  person: Person,
  limit: number,
): Promise<Kept> {
  const { persons } = storage.stores;
  const kept: Kept = {};
  for (const place of persons.places) kept[place] = await persons.find(place, person, limit);
  if (person.kind === 'address') {
    Object.assign(kept, await saidOf(storage, person));
    const refused = await refusalOf(storage, person);
    if (refused !== undefined) kept[REFUSAL] = [refused];
  }
  kept[TRAIL] = await trailOf({ storage }, person, limit);
  return kept;
}

/** What was said of an address: all of it, or that it is bound to that user. */
export async function saidOf(
  storage: Pick<Storage, 'stores'>,
  { medium, address }: BoundRow,
  mxid?: string,
): Promise<Kept> {
  const { persons } = storage.stores;
  return {
    [BINDINGS]: (await persons.bindings(medium, address)).filter(isOf(mxid)),
    [STATEMENTS]: (await persons.statements(medium, address)).filter(isOf(mxid)),
  };
}

async function refusalOf(
  { stores }: Pick<Storage, 'stores'>,
  { medium, address }: BoundRow,
): Promise<KeptRow | undefined> {
  const since = medium === 'email' ? await refusedSince(stores, address) : undefined;
  return since === undefined ? undefined : { medium, address, refused_ts: since };
}

/** What operators did about them, in the trail. */
async function trailOf(
  { storage }: Pick<ErasureDependencies, 'storage'>,
  person: Person,
  limit: number,
): Promise<KeptRow[]> {
  const subject = person.kind === 'user' ? person.mxid : person.address;
  const entries = await storage.stores.audit.list({ about: subject }, { after: 0, limit });
  return entries.map(({ id, at, who, via, action, outcome }) => ({
    id,
    at,
    who,
    via,
    action,
    outcome,
  }));
}

/** Empties all places of a person; what operators did about them stays, under a name that tells nobody who it was. */
async function emptyPlaces(deps: ErasureDependencies, person: Person): Promise<void> {
  const { storage, clock, random } = deps;
  for (const place of storage.stores.persons.places) {
    const erase = ({ persons }: OpenTransaction) =>
      persons.erase(place, person, AT_ONCE, clock.now());
    while ((await storage.logTransaction(erase)) >= AT_ONCE);
  }
  const subject = person.kind === 'user' ? person.mxid : person.address;
  await storage.logTransaction((stores) => forgetLimitHits(stores, subject));
  await renameInTrail(storage, subject, await nameForTrail(storage, random, person));
}

/**
 * Takes back what this server said of an address, and deletes what anybody else did; of somebody else's address only what
 * names the user.
 */
async function eraseBindings(
  deps: ErasureDependencies,
  { medium, address }: BoundRow,
  mxid: string | undefined,
): Promise<void> {
  const { storage, clock, random, serverName } = deps;
  const threepid = { medium, address };
  await storage.logTransaction(async (stores) => {
    const now = clock.now();
    const known = await stores.associations.known(threepid, serverName);
    const own = lastLogged(known);
    let logId = own?.id;
    if (own?.mxid !== undefined && (mxid === undefined || own.mxid === mxid)) {
      // What another has said since stays, unless the address as a whole is to be forgotten.
      const ts = mxid === undefined ? dateAfter([own.ts], now) : own.ts + 1;
      logId = await sayDeleted(stores, threepid, ts, known, { serverName, now });
    }
    // Of an address that old Sydents bound in several spellings, others may have the last.
    const older = known.logged.filter((entry) => entry !== own && entry.mxid === mxid);
    if (mxid !== undefined && own?.mxid !== mxid) {
      await stores.persons.dropStatements(older.map(({ id }) => id));
    }
    const rows = await stores.overview.associationsAt(medium, address);
    const ids = new Set(
      rows.filter((row) => mxid === undefined || row.mxid === mxid).map(({ id }) => id),
    );
    const { published } = await stores.associations.known(threepid, serverName);
    await stores.associations.deletePublished(published.filter(({ id }) => ids.has(id)));
    if (mxid !== undefined) return;
    const nameOf = await nameForErasing(stores, random);
    const nameHash = nameOf({ kind: 'address', ...threepid });
    await stores.erasures.note({ nameHash, erasedAt: now, logId });
  }, address);
}

/** From now on the trail does not name them, and what peers push of before is left out. */
async function noteErased(
  { storage, clock, random }: ErasureDependencies,
  person: Person,
): Promise<void> {
  await storage.logTransaction(async (stores) => {
    const nameHash = (await nameForErasing(stores, random))(person);
    await stores.erasures.note({ nameHash, erasedAt: clock.now(), logId: undefined });
  });
}

/** Erases an address, of whomever it is. Broken off, it may be begun anew. */
export async function eraseAddress(deps: ErasureDependencies, address: BoundRow): Promise<void> {
  const { medium } = address;
  const person: Address = { kind: 'address', medium, address: address.address };
  await noteErased(deps, person);
  // Bindings last: by them the address of a user is found again, should this be broken off.
  await emptyPlaces(deps, person);
  await eraseBindings(deps, address, undefined);
}

/** Erases a user, with these of their addresses. Broken off, it may be begun anew. */
export async function eraseUser(
  deps: ErasureDependencies,
  mxid: string,
  addresses: readonly OwnedAddress[],
): Promise<void> {
  await noteErased(deps, { kind: 'user', mxid });
  for (const address of addresses) {
    if (address.isOfAnother) await eraseBindings(deps, address, mxid);
    else await eraseAddress(deps, address);
  }
  await emptyPlaces(deps, { kind: 'user', mxid });
}

/** Removes the deletions that peers have taken, or were given long enough; how many. */
export async function removeTombstones({
  storage,
  clock,
  tombstoneLifetime,
}: Pick<ErasureDependencies, 'storage' | 'clock' | 'tombstoneLifetime'>): Promise<number> {
  const before = clock.now() - tombstoneLifetime;
  let count = 0;
  for (let removed = AT_ONCE; removed === AT_ONCE; count += removed) {
    removed = await storage.logTransaction(({ erasures }) =>
      erasures.removeTombstones(before, AT_ONCE),
    );
  }
  return count;
}
