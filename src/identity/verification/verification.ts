import { OperatorError } from '../../platform/operator-error.ts';
import type { Progress } from '../../platform/progress.ts';
import type { Storage, StoredAssociation, Stores } from '../../storage/stores/index.ts';
import type { ServerKeys } from '../server-keys.ts';
import { type Fault, Findings } from './findings.ts';
import { type IndexFaults, indexFaults, makeKeysAnew } from './index-faults.ts';
import {
  hashesOfPeppers,
  type IndexedRow,
  type MissingHashes,
  missingHashes,
  staleAmong,
} from './rotated-faults.ts';
import { signedFault } from './signed-fault.ts';

export interface VerificationDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly keys: ServerKeys;
  readonly progress: Progress;
}

export interface VerificationOptions {
  /** Makes lookup keys anew where they are not as they should be. */
  readonly repair: boolean;
}

/** What was looked at, and what is wrong with it; where it was repaired, what was. */
export interface Verification {
  readonly associations: number;
  readonly lookupKeys: number;
  readonly findings: Findings;
}

/** Read at once where a row may be as long as a push; and so many at most are looked at again under the log's lock. */
const ROWS = 32;
const KEYS = 500;

interface Checked extends IndexedRow {
  readonly faults: readonly Fault[];
}

/**
 * Checks all associations and the keys by which lookups find them, beside servers that go on: what looks wrong is looked at
 * again where nobody writes associations, so that what was bound or taken back meanwhile is no fault.
 * @throws OperatorError when there is no pepper
 */
export async function verifyAssociations(
  { storage, keys, progress }: VerificationDependencies,
  { repair }: VerificationOptions,
): Promise<Verification> {
  const { serverName } = keys;
  const { adoption, verification } = storage.stores;
  const pepper = await verification.pepper();
  if (pepper === undefined) {
    throw new OperatorError(
      'The database has no pepper (hashing_metadata): restore it from a backup. A start of the server makes a new one, and lookups by hash with the old one find nothing',
    );
  }
  const findings = new Findings();

  /** @param stores where what the row should have beside its keys is looked for */
  async function checkAll(
    stores: Pick<Stores, 'peppers'>,
    rows: readonly StoredAssociation[],
  ): Promise<{ readonly all: Checked[]; readonly missing: MissingHashes[] }> {
    const all = await Promise.all(rows.map(check));
    const missing = await missingHashes(stores, all);
    const lacking = new Set(missing.flatMap(({ hashes }) => hashes.map(({ id }) => id)));
    const told = all.map(({ faults, ...each }) => ({
      ...each,
      faults:
        lacking.has(each.row.id) && !faults.includes('unindexed')
          ? [...faults, 'unindexed' as const]
          : faults,
    }));
    return { all: told, missing };
  }

  async function check(row: StoredAssociation): Promise<Checked> {
    const index = indexFaults(row, { serverName, pepper: pepper as string });
    const faults = [await signedFault(row, keys), ...indexFaultNames(index)];
    return { row, index, faults: faults.filter((fault) => fault !== undefined) };
  }

  const checkAgain = (ids: readonly number[]) =>
    storage.logTransaction(async (stores) => {
      const { all, missing } = await checkAll(stores, await stores.verification.associations(ids));
      if (repair) {
        for (const { row, index } of all) await makeKeysAnew(stores, row, index);
        for (const { number, hashes } of missing) await stores.peppers.add(number, hashes);
      }
      return all;
    });

  const orphanedStill = (ids: readonly number[]) =>
    storage.logTransaction(async (stores) => {
      const orphaned = await stores.verification.orphanedAmong(ids);
      if (repair) await stores.verification.deleteKeysOf(orphaned);
      return orphaned;
    });

  async function checkAssociations(): Promise<number> {
    let [after, count] = [0, 0];
    const task = await progress.begin('Checking the associations', () =>
      adoption.countAssociationsAfter(after),
    );
    for (;;) {
      const rows = await verification.associationsAfter(after, ROWS);
      const { all } = await checkAll(storage.stores, rows);
      const suspicious = all.filter(({ faults }) => faults.length > 0).map(({ row }) => row.id);
      const confirmed = suspicious.length > 0 ? await checkAgain(suspicious) : [];
      for (const { row, faults } of confirmed) {
        for (const fault of faults) findings.add(fault, row.id);
      }
      count += rows.length;
      after = rows.at(-1)?.id ?? after;
      await task.advance(rows.length);
      if (rows.length < ROWS) break;
    }
    task.end();
    return count;
  }

  async function checkKeys(): Promise<number> {
    let [after, count] = [Number.MIN_SAFE_INTEGER, 0];
    const task = await progress.begin('Checking the keys of lookups', () =>
      adoption.countKeysAfter(after),
    );
    for (;;) {
      const looked = await verification.keysAfter(after, KEYS);
      if (looked === undefined) break;
      const confirmed = looked.orphaned.length > 0 ? await orphanedStill(looked.orphaned) : [];
      for (const id of confirmed) findings.add('orphaned', id);
      after = looked.last;
      count += looked.keys;
      await task.advance(looked.keys);
    }
    task.end();
    return count;
  }

  /** Hashes by rotated peppers of keys that there are not; no more than one is said of an association. */
  async function checkHashes(): Promise<void> {
    const task = await progress.begin('Checking the hashes by rotated peppers', 0);
    for await (const { pepper, hashes } of hashesOfPeppers(storage.stores)) {
      const suspicious = await staleAmong(storage.stores, pepper, hashes);
      const confirmed =
        suspicious.length === 0
          ? []
          : await storage.logTransaction(async (stores) => {
              const stale = await staleAmong(stores, pepper, suspicious);
              if (repair) await stores.peppers.delete(pepper.number, stale);
              return stale;
            });
      for (const id of new Set(confirmed.map((each) => each.id))) findings.add('misindexed', id);
      await task.advance(hashes.length);
    }
    task.end();
  }

  const associations = await checkAssociations();
  const lookupKeys = await checkKeys();
  await checkHashes();
  return { associations, lookupKeys, findings };
}

function indexFaultNames({ missing, misHashed, foreign }: IndexFaults): Fault[] {
  const names: Fault[] = [];
  if (missing.length > 0) names.push('unindexed');
  if (misHashed.length + foreign.length > 0) names.push('misindexed');
  return names;
}
