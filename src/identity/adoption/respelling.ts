import { foldAddress } from '../../model/addresses.ts';
import type { StoredAddress, Stores, UnindexedAssociation } from '../../storage/stores/index.ts';
import { CONTESTED } from '../associations/contested.ts';
import { type AdoptionDependencies, numberState } from './dependencies.ts';
import { keysOf } from './lookup-keys.ts';

const BATCH = 500;

interface Kind<Row extends StoredAddress> {
  readonly name: string;
  /** Where ids grow: up to which of them all are done, and the highest there is. */
  readonly position?: { readonly key: string; last(stores: Stores): Promise<number> };
  after(stores: Stores, id: number): Promise<Row[]>;
  /** How many were changed. */
  change(stores: Stores, rows: readonly Row[]): Promise<number>;
}

/** What is spelt otherwise than it would be stored now. */
const respelt = (rows: readonly StoredAddress[]) =>
  rows
    .map(({ id, address }) => ({ id, address, folded: foldAddress('email', address) }))
    .filter(({ address, folded }) => folded !== address);

/** They keep their address, which may be signed, and get the keys that they lack. */
const associations = (serverName: string, pepper: string): Kind<UnindexedAssociation> => ({
  name: 'associations',
  position: {
    key: 'associations_respelt',
    last: ({ respelling }) => respelling.lastAssociation(),
  },
  after: ({ respelling }, id) => respelling.associationsAfter(id, BATCH),
  async change(stores, rows) {
    const each = [...new Map(rows.map((row) => [row.id, row])).values()];
    const keys = await keysOf(stores, each, serverName, pepper);
    const added = await stores.adoption.insertKeys(keys);
    // Two users may have the mailbox now.
    if (added > 0) await stores.state.delete(CONTESTED);
    return added;
  },
});

const invitations: Kind<StoredAddress> = {
  name: 'invitations',
  position: { key: 'invitations_respelt', last: ({ respelling }) => respelling.lastInvitation() },
  after: ({ respelling }, id) => respelling.invitationsAfter(id, BATCH),
  async change({ respelling }, rows) {
    const changes = respelt(rows);
    for (const { id, folded } of changes) await respelling.setInvitationAddress(id, folded);
    return changes.length;
  },
};

const sessions: Kind<StoredAddress> = {
  name: 'validation sessions',
  after: ({ respelling }, id) => respelling.sessionsAfter(id, BATCH),
  async change({ respelling }, rows) {
    const changes = respelt(rows);
    for (const { id, folded } of changes) await respelling.setSessionAddress(id, folded);
    return changes.length;
  },
};

/**
 * Puts under its mailbox what Sydent and earlier versions stored with the domain in another spelling: in
 * A-labels, or not normalised. Plain rows are left to the database to pass over. How much was changed.
 */
export async function respell(deps: AdoptionDependencies): Promise<number> {
  const { storage, keys } = deps;
  return (
    (await respellKind(deps, associations(keys.serverName, storage.pepper))) +
    (await respellKind(deps, invitations)) +
    (await respellKind(deps, sessions))
  );
}

async function respellKind<Row extends StoredAddress>(
  { storage, progress }: AdoptionDependencies,
  { name, position, after, change }: Kind<Row>,
): Promise<number> {
  let changed = 0;
  let from = 0;
  const task = await progress.begin(`Looking for ${name} under another spelling of a domain`, 0);
  for (;;) {
    const read = await storage.logTransaction(async (stores) => {
      // Ids become visible in order only to who holds the lock.
      const done = position && (await numberState(stores, position.key));
      const begin = Math.max(from, done ?? 0);
      const rows = await after(stores, begin);
      changed += await change(stores, rows);
      from = rows.at(-1)?.id ?? begin;
      if (position === undefined) return rows.length;
      if (rows.length < BATCH) from = Math.max(from, await position.last(stores));
      if (from !== done) await stores.state.set(position.key, String(from));
      return rows.length;
    });
    await task.advance(read);
    if (read < BATCH) break;
  }
  task.end();
  return changed;
}
