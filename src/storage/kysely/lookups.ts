import type { Db, Engine } from '../engines/engine.ts';
import type { LookupStore } from '../stores/index.ts';
import { keyedAssociations } from './queries/keyed-associations.ts';

/** The associations valid at that time, each as often as it has keys. */
function valid(db: Db, now: number) {
  return keyedAssociations(db)
    .where('global.notBefore', '<=', now)
    .where('global.notAfter', '>', now);
}

export function lookupStore(engine: Engine, db: Db): LookupStore {
  const byKeys = (column: 'spelling' | 'lookup_hash', keys: readonly string[], now: number) =>
    valid(db, now)
      .where(engine.isAnyOf(`lookup.${column}`, keys))
      .select([
        `lookup.${column} as key`,
        'global.id',
        'global.medium',
        'global.address',
        'global.mxid',
        'global.ts',
      ])
      .execute();

  return {
    byAddresses: (addresses, now) => byKeys('spelling', addresses, now),
    byHashes: (hashes, now) => byKeys('lookup_hash', hashes, now),

    signedByAddress: (medium, address, now) =>
      valid(db, now)
        .where('lookup.spelling', '=', address)
        .where('global.medium', '=', medium)
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
        ])
        .execute(),
  };
}
