import { lookupHash } from '../../model/lookup-hash.ts';
import { aheadOf, replaces } from '../../model/precedence.ts';
import type { StoredLocalAssociation, Stores } from '../../storage/stores/index.ts';
import { LOG_POSITION } from '../associations/associations.ts';
import { CONTESTED } from '../associations/contested.ts';
import { lookupKeys, storedAddress } from '../associations/lookup-keys.ts';
import { toAssociation } from '../associations/signed-association.ts';
import { type AdoptionDependencies, numberState } from './dependencies.ts';

const BATCH = 200;

/** Puts what the log says of an address into the table that lookups read, unless it is there. */
export async function publish(
  stores: Stores,
  entry: StoredLocalAssociation,
  { keys, storage, clock }: Pick<AdoptionDependencies, 'keys' | 'storage' | 'clock'>,
): Promise<void> {
  const { pepper } = storage;
  const { medium, ts, mxid, notBefore, notAfter } = entry;
  const spelt = storedAddress(entry);
  const { address } = spelt;
  if (mxid === undefined || notBefore === undefined || notAfter === undefined) {
    const said = {
      originServer: keys.serverName,
      originId: Number.POSITIVE_INFINITY,
      ts,
      deletes: true,
    };
    const { published } = await stores.associations.known({ medium, address }, keys.serverName);
    const ahead = aheadOf(clock.now());
    await stores.associations.deletePublished(
      published.filter((stored) => replaces(said, stored, ahead)),
    );
    return;
  }
  const stored = { medium, address, mxid, ts, notBefore, notAfter };
  await stores.associations.publish(
    {
      ...stored,
      originServer: keys.serverName,
      originId: entry.id,
      signedJson: JSON.stringify(keys.sign(toAssociation(stored))),
      lookupHash: lookupHash(address, medium, pepper),
    },
    lookupKeys(spelt, pepper),
  );
}

/**
 * Applies to the global table what Sydent logged and did not. Our own position is needed: Sydent's,
 * the highest own id in the global table, knows nothing of deletions.
 */
export async function applyLog(deps: AdoptionDependencies): Promise<number> {
  const { storage, keys, progress } = deps;
  let count = 0;
  let from = 0;
  const task = await progress.begin('Taking over what Sydent logged', () =>
    storage.stores.adoption.countLogAfter(from),
  );
  for (;;) {
    const applied = await storage.logTransaction(async (stores) => {
      const known = await numberState(stores, LOG_POSITION);
      const after = known ?? (await stores.adoption.highestOriginId(keys.serverName));
      const entries = await stores.associations.logAfter(after, BATCH);
      for (const entry of entries) await publish(stores, entry, deps);
      from = entries.at(-1)?.id ?? after;
      if (from !== known) await stores.state.set(LOG_POSITION, String(from));
      // Among them there may be an address in a spelling that another user has.
      if (entries.length > 0) await stores.state.delete(CONTESTED);
      return entries.length;
    });
    count += applied;
    await task.advance(applied);
    if (applied < BATCH) break;
  }
  task.end();
  return count;
}
