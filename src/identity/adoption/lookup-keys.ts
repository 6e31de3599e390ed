import { lookupHash } from '../../model/lookup-hash.ts';
import type {
  KeysOfAssociation,
  Stores,
  UnindexedAssociation,
} from '../../storage/stores/index.ts';
import { isFolded, lookupKeys, storedAddress } from '../associations/lookup-keys.ts';
import { type AdoptionDependencies, numberState } from './dependencies.ts';

const INDEX_POSITION = 'index_position';
/** The pepper of all hashes. */
const KEYS_PEPPER = 'keys_pepper';
/** How far they are hashed anew: the new pepper, and the last key done. */
const REHASHED = 'rehashed';
const BATCH = 500;
/** Nobody is answered meanwhile, and each commit takes its time. */
const INDEXED_AT_ONCE = 2000;
/** From so many on, and from more than there are already, the indexes of all are made anew. */
const MANY = 20_000;
/** Read at once where a row may be as long as a push. */
const LONG_ROWS = 32;

/** The pepper changes when somebody empties hashing_metadata, which makes Sydent's tables be rehashed. */
export async function rehashKeys({ storage, progress }: AdoptionDependencies): Promise<void> {
  const { pepper } = storage;
  if ((await storage.stores.state.get(KEYS_PEPPER)) === pepper) return;
  let last = { id: 0, spelling: '' };
  const task = await progress.begin('Hashing the keys of lookups with the new pepper', () =>
    storage.stores.adoption.countKeysAfter(last.id),
  );
  for (;;) {
    const done = await storage.transaction(async ({ adoption, state }) => {
      const [of, id, spelling] = JSON.parse((await state.get(REHASHED)) ?? '[]');
      last = of === pepper ? { id, spelling } : { id: 0, spelling: '' };
      const keys = await adoption.keysAfter(last.id, last.spelling, BATCH);
      for (const key of keys) {
        const hash = lookupHash(key.spelling, key.medium, pepper);
        await adoption.setKeyHash(key.id, key.spelling, hash);
        last = key;
      }
      await state.set(REHASHED, JSON.stringify([pepper, last.id, last.spelling]));
      if (keys.length < BATCH) await state.set(KEYS_PEPPER, pepper);
      return keys.length;
    });
    await task.advance(done);
    if (done < BATCH) break;
  }
  task.end();
}

/** What a peer sent was folded when it was stored: the spelling it came in is in what is signed. */
export async function keysOf(
  { adoption }: Stores,
  rows: readonly UnindexedAssociation[],
  serverName: string,
  pepper: string,
): Promise<KeysOfAssociation[]> {
  const keys: KeysOfAssociation[] = [];
  for (let from = 0; from < rows.length; from += LONG_ROWS) {
    const portion = rows.slice(from, from + LONG_ROWS);
    const received = portion.filter((row) => isFolded(row, serverName));
    const signed = await adoption.signedJson(received.map(({ id }) => id));
    for (const row of portion) {
      keys.push({
        id: row.id,
        medium: row.medium,
        keys: lookupKeys(storedAddress(row, signed.get(row.id)), pepper),
      });
    }
  }
  return keys;
}

/** Makes the keys by which lookups find associations; the number of keys made. */
export async function indexAssociations(deps: AdoptionDependencies): Promise<number> {
  const { storage, keys, progress } = deps;
  const { adoption } = storage.stores;
  let from = 0;
  let made = 0;
  const left = await adoption.countAssociationsAfter(
    (await numberState(storage.stores, INDEX_POSITION)) ?? 0,
  );
  if (left > MANY && left > (await adoption.countKeysAfter(0))) {
    await storage.logTransaction((stores) => stores.adoption.setKeyIndexesAside());
  }
  const task = await progress.begin('Preparing lookups of the associations in the database', () =>
    adoption.countAssociationsAfter(from),
  );
  for (;;) {
    const read = await storage.logTransaction(async (stores) => {
      // Ids become visible in order only to who holds the lock.
      const after = (await numberState(stores, INDEX_POSITION)) ?? 0;
      const rows = await stores.adoption.associationsAfter(after, INDEXED_AT_ONCE);
      made += await stores.adoption.insertKeys(
        await keysOf(stores, rows, keys.serverName, storage.pepper),
      );
      from = rows.at(-1)?.id ?? after;
      if (from > after) await stores.state.set(INDEX_POSITION, String(from));
      return rows.length;
    });
    await task.advance(read);
    if (read < INDEXED_AT_ONCE) break;
  }
  await storage.logTransaction((stores) => stores.adoption.restoreKeyIndexes());
  task.end();
  return made;
}

/** Deletes keys whose association Sydent has deleted. */
export async function deleteOrphanedKeys(deps: AdoptionDependencies): Promise<void> {
  const { storage, progress } = deps;
  let after = 0;
  const task = await progress.begin('Looking for keys of associations that are gone', () =>
    storage.stores.adoption.countKeysAfter(after),
  );
  for (;;) {
    const last = await storage.transaction(({ adoption }) =>
      adoption.deleteOrphanedKeys(after, BATCH),
    );
    if (last === undefined) break;
    after = last;
    await task.advance(BATCH);
  }
  task.end();
}
