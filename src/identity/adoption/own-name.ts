import { foldAddress } from '../../model/addresses.ts';
import type { OwnAssociation, StoredLocalAssociation, Stores } from '../../storage/stores/index.ts';
import { CONTESTED } from '../associations/contested.ts';
import { lookupKeys, storedAddress } from '../associations/lookup-keys.ts';
import { toAssociation } from '../associations/signed-association.ts';
import type { AdoptionDependencies } from './dependencies.ts';
import { publish } from './log.ts';

/** Signed in one transaction, in about ten milliseconds. */
const BATCH = 200;

const nameOf = ({ medium, address }: { medium: string; address: string }) =>
  `${medium} ${foldAddress(medium, address)}`;

/** Whether the row is what the log says. */
const isOf = (entry: StoredLocalAssociation, row: OwnAssociation) =>
  nameOf(entry) === nameOf(row) && entry.mxid === row.mxid && entry.ts === row.ts;

/** What becomes of a batch of rows under another spelling of the name. */
interface Plan {
  readonly deleted: Set<number>;
  readonly renamed: OwnAssociation[];
  /** Entries of the log whose row was neither under this name nor under that. */
  readonly published: StoredLocalAssociation[];
}

/**
 * Rows that this server stored under its name in another case: an earlier version wrote it in lower case,
 * and operators change it. They get the name as it is now, signed anew, and keep their ids. The log knows
 * which still count; what it has replaced since is deleted, and so is what stands there twice.
 */
export async function renameOwnRows(deps: AdoptionDependencies): Promise<number> {
  const { storage, keys, progress } = deps;
  const { ownAssociations } = storage.stores;
  let count = 0;
  for (const name of await ownAssociations.otherNames(keys.serverName)) {
    const what = `Renaming associations of ${name} to ${keys.serverName}`;
    const task = await progress.begin(what, () => ownAssociations.count(name));
    for (;;) {
      const done = await storage.logTransaction((stores) => renameBatch(deps, stores, name));
      if (done === 0) break;
      count += done;
      await task.advance(done);
    }
    task.end();
  }
  return count;
}

async function renameBatch(
  deps: AdoptionDependencies,
  stores: Stores,
  name: string,
): Promise<number> {
  const { keys, storage } = deps;
  const { associations, ownAssociations, adoption, state } = stores;
  const rows = await ownAssociations.first(name, BATCH);
  if (rows.length === 0) return 0;
  const ids = rows.map(({ originId }) => originId);
  const entries = new Map((await associations.logEntries(ids)).map((entry) => [entry.id, entry]));
  const twins = await ownAssociations.ofEntries(keys.serverName, ids);
  const { deleted, renamed, published } = decide(
    rows,
    new Map(twins.map((twin) => [twin.originId, twin])),
    entries,
    await ownAssociations.inLog(
      rows.flatMap((row) => [row.address, foldAddress(row.medium, row.address)]),
    ),
  );
  await ownAssociations.delete([...deleted]);
  for (const row of renamed) {
    await ownAssociations.rename(
      row.id,
      keys.serverName,
      JSON.stringify(keys.sign(toAssociation(row))),
    );
  }
  // The spelling of one in mixed case may stand in the log only.
  await adoption.insertKeys(
    renamed.map((row) => ({
      id: row.id,
      medium: row.medium,
      keys: lookupKeys(storedAddress(entries.get(row.originId) ?? row), storage.pepper),
    })),
  );
  for (const entry of published) await publish(stores, entry, deps);
  await deleteReplaced(stores, keys.serverName, renamed);
  await state.delete(CONTESTED);
  return rows.length;
}

function decide(
  rows: readonly OwnAssociation[],
  twins: ReadonlyMap<number, OwnAssociation>,
  entries: ReadonlyMap<number, StoredLocalAssociation>,
  inLog: ReadonlySet<string>,
): Plan {
  const plan: Plan = { deleted: new Set(), renamed: [], published: [] };
  for (const row of rows) {
    const twin = twins.get(row.originId);
    const entry = entries.get(row.originId);
    // Sydent's own row, with its own signature, comes first.
    const candidates = twin === undefined ? [row] : [twin, row];
    let kept: OwnAssociation | undefined;
    if (entry !== undefined) {
      kept = candidates.find((candidate) => isOf(entry, candidate));
      if (kept === undefined && entry.mxid !== undefined) plan.published.push(entry);
    } else if (inLog.has(`${row.medium} ${row.address}`) || inLog.has(nameOf(row))) {
      // The log has said something newer of the address; what stands under the right name is as Sydent left it.
      kept = twin;
    } else {
      kept = candidates.toSorted((a, b) => b.ts - a.ts)[0];
    }
    for (const candidate of candidates) if (candidate !== kept) plan.deleted.add(candidate.id);
    if (kept === row) plan.renamed.push(row);
  }
  return plan;
}

/** Rows under the right name that a renamed one has replaced: whoever wrote that did not see them as its own. */
async function deleteReplaced(
  { associations, ownAssociations }: Stores,
  serverName: string,
  renamed: readonly OwnAssociation[],
): Promise<void> {
  const newest = Map.groupBy(renamed, nameOf);
  const addresses = renamed.map(({ medium, address }) => foldAddress(medium, address));
  const others = (await ownAssociations.ofAddresses(serverName, addresses)).filter((row) =>
    newest.get(nameOf(row))?.some(({ id, ts }) => id !== row.id && ts >= row.ts),
  );
  const logged = await associations.logEntries(others.map(({ originId }) => originId));
  const inLog = new Set(logged.map(({ id }) => id));
  const replaced = others.filter(({ originId }) => !inLog.has(originId));
  await ownAssociations.delete([...new Set(replaced.map(({ id }) => id))]);
}
