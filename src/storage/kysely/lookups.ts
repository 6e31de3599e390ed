import type { Db, Engine, TextList } from '../engines/engine.ts';
import type { FoundAssociation, FoundSignedAssociation, LookupStore } from '../stores/index.ts';
import { prepare } from './prepared.ts';
import { keyedAssociations } from './queries/keyed-associations.ts';
import { sharedReads } from './shared-reads.ts';

export function lookupStore(engine: Engine): (db: Db) => LookupStore {
  /** The associations that have one of these keys and are valid at that time, each as often as it has keys. */
  const byKeys = (column: 'spelling' | 'lookup_hash') =>
    prepare<{ keys: TextList; now: number }, FoundAssociation>(engine, (db, slot) =>
      keyedAssociations(db)
        .where(engine.isIn(`lookup.${column}`, slot('keys')))
        .where('global.notBefore', '<=', slot('now'))
        .where('global.notAfter', '>', slot('now'))
        .select([
          `lookup.${column} as key`,
          'global.id',
          'global.medium',
          'global.address',
          'global.mxid',
          'global.ts',
        ]),
    );
  const byAddresses = byKeys('spelling');
  const byHashes = byKeys('lookup_hash');

  const signedByAddress = prepare<
    { medium: string; address: string; now: number },
    FoundSignedAssociation
  >(engine, (db, slot) =>
    keyedAssociations(db)
      .where('lookup.spelling', '=', slot('address'))
      .where('global.medium', '=', slot('medium'))
      .where('global.notBefore', '<=', slot('now'))
      .where('global.notAfter', '>', slot('now'))
      .select([
        'lookup.spelling as key',
        'global.id',
        'global.medium',
        'global.address',
        'global.mxid',
        'global.ts',
        'global.notBefore',
        'global.notAfter',
        'global.originServer',
        'global.sgAssoc as signedJson',
      ]),
  );

  let newest = 0;
  const shared = sharedReads(
    (hashes) => byHashes(engine.db, { keys: engine.list(hashes), now: newest }),
    ({ key }) => key,
  );

  return (db) => ({
    byAddresses: (addresses, now) => byAddresses(db, { keys: engine.list(addresses), now }),

    byHashes(hashes, now) {
      if (!engine.isRemote || db !== engine.db) {
        return byHashes(db, { keys: engine.list(hashes), now });
      }
      newest = now;
      return shared(hashes);
    },

    signedByAddress: (medium, address, now) => signedByAddress(db, { medium, address, now }),
  });
}
