import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { Storage, Stores } from '../storage/stores.ts';
import { foldAddress } from './addresses.ts';
import { LOG_POSITION } from './associations.ts';
import { lookupHash } from './hashing.ts';
import type { ServerKeys } from './server-keys.ts';
import { toAssociation } from './signed-association.ts';

export interface AdoptionDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly logger: Logger;
}

const INDEX_POSITION = 'index_position';
const KEYS_PEPPER = 'keys_pepper';
const BATCH = 1000;

/**
 * Catches up, at start, with what Sydent wrote into the database: at the first start everything,
 * later what it did while it ran in this server's place. Every step goes on where it was interrupted.
 */
export async function adoptSydentData(deps: AdoptionDependencies): Promise<void> {
  await rehashKeys(deps);
  const sessions = await adoptSessions(deps);
  const associations = await indexAssociations(deps);
  const logEntries = await applyLog(deps);
  if (associations + logEntries > 0) {
    await deps.storage.transaction(({ adoption }) => adoption.deleteOrphanedKeys());
  }
  if (sessions + associations + logEntries > 0) {
    deps.logger.info(
      { sessions, associations, logEntries },
      'Took over what Sydent wrote to the database',
    );
  }
}

async function numberState(stores: Stores, key: string): Promise<number | undefined> {
  const value = await stores.adoption.getState(key);
  return value === undefined ? undefined : Number(value);
}

/** The pepper changes when somebody empties hashing_metadata, which makes Sydent's tables be rehashed. */
async function rehashKeys({ storage, logger }: AdoptionDependencies): Promise<void> {
  const { pepper } = storage;
  if ((await storage.stores.adoption.getState(KEYS_PEPPER)) === pepper) return;
  await storage.transaction(async ({ adoption }) => {
    let last = { id: 0, spelling: '' };
    let count = 0;
    for (;;) {
      const keys = await adoption.keysAfter(last.id, last.spelling, BATCH);
      for (const key of keys) {
        await adoption.setKeyHash(
          key.id,
          key.spelling,
          lookupHash(key.spelling, key.medium, pepper),
        );
        last = key;
      }
      count += keys.length;
      if (keys.length < BATCH) break;
      logger.info({ count }, 'Hashing addresses with the new pepper');
    }
    await adoption.setState(KEYS_PEPPER, pepper);
  });
}

async function adoptSessions({ storage, clock }: AdoptionDependencies): Promise<number> {
  let count = 0;
  for (;;) {
    const adopted = await storage.transaction(async ({ adoption }) => {
      const sessions = await adoption.sessionsWithoutExtras(BATCH);
      for (const session of sessions) await adoption.adoptSession(session, clock.now());
      return sessions.length;
    });
    count += adopted;
    if (adopted < BATCH) return count;
  }
}

/** Makes the keys by which lookups find associations: of Sydent's rows only the folded spelling is known. */
async function indexAssociations({ storage, logger }: AdoptionDependencies): Promise<number> {
  let count = 0;
  for (;;) {
    const indexed = await storage.transaction(async (stores) => {
      const position = (await numberState(stores, INDEX_POSITION)) ?? 0;
      const rows = await stores.adoption.associationsAfter(position, BATCH);
      const missing = await stores.adoption.withoutKeys(rows.map((row) => row.id));
      for (const row of rows) {
        if (!missing.has(row.id)) continue;
        const spelling = foldAddress(row.medium, row.address);
        await stores.adoption.insertKeys(row.id, [
          { spelling, lookupHash: lookupHash(spelling, row.medium, storage.pepper) },
        ]);
      }
      const last = rows.at(-1);
      if (last !== undefined) await stores.adoption.setState(INDEX_POSITION, String(last.id));
      return { read: rows.length, made: missing.size };
    });
    count += indexed.made;
    if (indexed.read < BATCH) return count;
    logger.info({ count }, 'Preparing lookups of existing associations');
  }
}

/**
 * Applies to the global table what Sydent logged and did not. Our own position is needed: Sydent's,
 * the highest own id in the global table, knows nothing of deletions.
 */
async function applyLog({ storage, keys }: AdoptionDependencies): Promise<number> {
  const { serverName } = keys;
  let count = 0;
  for (;;) {
    const applied = await storage.transaction(async (stores) => {
      await stores.associations.lockLog();
      const position =
        (await numberState(stores, LOG_POSITION)) ??
        (await stores.adoption.highestOriginId(serverName));
      const entries = await stores.associations.logAfter(position, BATCH);
      for (const entry of entries) {
        const address = foldAddress(entry.medium, entry.address);
        const { medium, ts, mxid, notBefore, notAfter } = entry;
        if (mxid === undefined || notBefore === undefined || notAfter === undefined) {
          await stores.associations.deleteGlobal(medium, address, serverName, ts);
          continue;
        }
        const stored = { medium, address, mxid, ts, notBefore, notAfter };
        const hash = lookupHash(address, medium, storage.pepper);
        await stores.associations.insertGlobal(
          {
            ...stored,
            originServer: serverName,
            originId: entry.id,
            signedJson: JSON.stringify(keys.sign(toAssociation(stored))),
            lookupHash: hash,
          },
          [{ spelling: address, lookupHash: hash }],
        );
      }
      const last = entries.at(-1)?.id ?? position;
      await stores.adoption.setState(LOG_POSITION, String(last));
      return entries.length;
    });
    count += applied;
    if (applied < BATCH) return count;
  }
}
