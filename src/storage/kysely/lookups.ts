import { type RawBuilder, sql } from 'kysely';
import type { Db, Engine, TextList } from '../engines/engine.ts';
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

export function lookupStore(engine: Engine): (db: Db) => LookupStore {
  const byAddresses = prepare<{ addresses: TextList; now: number }, FoundAssociation>(
    engine,
    (db, slot) => valid(db, slot('now')).where(engine.isIn('lookup.spelling', slot('addresses'))),
  );
  const byHashes = prepare<{ hashes: TextList; now: number }, FoundByHash>(engine, (db, slot) => ({
    compile: () =>
      sql<FoundByHash>`select lookup.lookup_hash as key, global.id, global.mxid, global.ts
        from ${engine.keysByHash(slot('hashes'))} cross join ${engine.answers}
        where global.id = lookup.global_id
          and global."notBefore" <= ${slot('now')} and global."notAfter" > ${slot('now')}`.compile(
        db,
      ),
  }));

  const signedByAddress = prepare<
    { medium: string; address: string; now: number },
    FoundSignedAssociation
  >(engine, (db, slot) =>
    valid(db, slot('now'))
      .where('lookup.spelling', '=', slot('address'))
      .where('global.medium', '=', slot('medium'))
      .select(['global.notBefore', 'global.notAfter', 'global.originServer'])
      .select('global.sgAssoc as signedJson'),
  );

  // Of those who share a statement the last one's time: they ask within milliseconds.
  let askedAt = 0;
  const shared = sharedReads(
    (hashes) => byHashes(engine.db, { hashes: engine.list(hashes), now: askedAt }),
    ({ key }) => key,
  );

  return (db) => ({
    byAddresses: (addresses, now) => byAddresses(db, { addresses: engine.list(addresses), now }),

    byHashes(hashes, now) {
      if (!engine.isRemote || db !== engine.db) {
        return byHashes(db, { hashes: engine.list(hashes), now });
      }
      askedAt = now;
      return shared(hashes);
    },

    signedByAddress: (medium, address, now) => signedByAddress(db, { medium, address, now }),
  });
}
