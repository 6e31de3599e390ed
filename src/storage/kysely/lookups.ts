import { type RawBuilder, sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Db, Engine, KeysByHash, TextList } from '../engines/engine.ts';
import type {
  FoundAssociation,
  FoundByHash,
  FoundSignedAssociation,
  LookupStore,
} from '../stores/index.ts';
import { prepare } from './prepared.ts';
import { keyedAssociations } from './queries/keyed-associations.ts';
import { sharedReads } from './shared-reads.ts';

/** The associations valid at that time, each as often as it has keys, by the spelling of each. */
const valid = (db: Db, now: RawBuilder<number>) =>
  keyedAssociations(db)
    .where('global.notBefore', '<=', now)
    .where('global.notAfter', '>', now)
    .select(['lookup.spelling as key', 'global.id', 'global.medium', 'global.address'])
    .select(['global.mxid', 'global.ts']);

/** By so many at once something may be looked up. */
const PEPPERS = 8;
/** Who looks up is told what was so a moment ago, and in any case what this process has written. */
const LATE = { mayBeLate: true };

export function lookupStore(engine: Engine): (db: Db) => LookupStore {
  const byAddresses = prepare<{ addresses: TextList; now: number }, FoundAssociation>(
    engine,
    (db, slot) => valid(db, slot('now')).where(engine.isIn('lookup.spelling', slot('addresses'))),
    LATE,
  );
  type Hashes = { hashes: TextList; now: number; pepper: number };
  const foundBy = (table: KeysByHash['table']) =>
    prepare<Hashes, FoundByHash>(
      engine,
      (db, slot) => ({
        compile: () => {
          const pepper = table === 'cognomen_rotated_keys' ? slot('pepper') : undefined;
          return sql<FoundByHash>`select lookup.lookup_hash as key, global.id, global.mxid, global.ts
          from ${engine.keysByHash({ table, pepper }, slot('hashes'))} cross join ${engine.answers}
          where global.id = lookup.global_id
            and global."notBefore" <= ${slot('now')}
            and global."notAfter" > ${slot('now')}`.compile(db);
        },
      }),
      LATE,
    );
  const [own, rotated] = [foundBy('cognomen_lookup_keys'), foundBy('cognomen_rotated_keys')];
  const byHashes = (db: Db, hashes: readonly string[], now: number, pepper: number) =>
    (pepper === 0 ? own : rotated)(db, { hashes: engine.list(hashes), now, pepper });

  const signedByAddress = prepare<
    { medium: string; address: string; now: number },
    FoundSignedAssociation
  >(
    engine,
    (db, slot) =>
      valid(db, slot('now'))
        .where('lookup.spelling', '=', slot('address'))
        .where('global.medium', '=', slot('medium'))
        .select(['global.notBefore', 'global.notAfter', 'global.originServer'])
        .select('global.sgAssoc as signedJson'),
    LATE,
  );

  // Of those who share a statement the last one's time: they ask within milliseconds.
  let askedAt = 0;
  const shared = new LRUCache<number, (hashes: readonly string[]) => Promise<FoundByHash[]>>({
    max: PEPPERS,
    memoMethod: (pepper) => {
      // The primary said that all is hashed by it; a replica may not be as far.
      engine.requireCurrent();
      return sharedReads(
        (hashes) => byHashes(engine.db, hashes, askedAt, pepper),
        ({ key }) => key,
      );
    },
  });

  return (db) => ({
    byAddresses: (addresses, now) => byAddresses(db, { addresses: engine.list(addresses), now }),

    byHashes(hashes, now, pepper) {
      if (!engine.isRemote || db !== engine.db) return byHashes(db, hashes, now, pepper);
      askedAt = now;
      return shared.memo(pepper)(hashes);
    },

    signedByAddress: (medium, address, now) => signedByAddress(db, { medium, address, now }),
  });
}
