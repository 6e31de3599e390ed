import { foldAddress } from '../../model/addresses.ts';
import { lookupHash } from '../../model/lookup-hash.ts';
import { newestOf } from '../../model/precedence.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Progress } from '../../platform/progress.ts';
import type { Storage, StoredLocalAssociation } from '../../storage/stores/index.ts';
import type { ServerKeys } from '../server-keys.ts';
import { say } from './associations.ts';
import { lookupKeys, storedAddress } from './lookup-keys.ts';
import { toAssociation } from './signed-association.ts';

/** To the owner of a spelling that is removed. */
export interface MigrationMail {
  /** The spelling. */
  readonly to: string;
  /** To whom it led. */
  readonly mxid: string;
}

/** What becomes of an address that stands in the log in other than its folded spelling. */
export interface FoldedAddress {
  readonly address: string;
  /** To whom it leads from then on, by the newest of its bindings; undefined: to nobody, as that is a deletion. */
  readonly mxid: string | undefined;
  /** Those that had a spelling of it, and have it no more. */
  readonly removed: readonly MigrationMail[];
  /** Whether it is left as it was, because somebody could not be told. */
  readonly left: boolean;
}

export interface CasefoldDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly pepper: string;
  readonly keys: Pick<ServerKeys, 'serverName' | 'sign'>;
  readonly clock: Clock;
  readonly progress: Progress;
  /** Undefined: nobody is told. */
  readonly sendMail: ((mail: MigrationMail) => Promise<void>) | undefined;
}

const BATCH = 500;
/** Times that a mail is tried. */
const TRIES = 5;
/** Milliseconds before the second try, and twice as many before each that follows. */
const FIRST_WAIT = 500;
/** Milliseconds between two addresses, so that others who write have their time. */
const REST = 2;

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds);
  });

const isUnfolded = ({ medium, address }: StoredLocalAssociation) =>
  medium === 'email' && foldAddress(medium, address) !== address;

/** What is to become of the entries of one address, and of which of them it is. */
function planOf(address: string, entries: readonly StoredLocalAssociation[]) {
  const kept = newestOf(entries);
  const others = entries.flatMap(({ address: to, mxid }) =>
    mxid === undefined || mxid === kept?.mxid ? [] : [{ to, mxid }],
  );
  const removed = [...new Map(others.map((mail) => [`${mail.to} ${mail.mxid}`, mail])).values()];
  return { kept, plan: { address, mxid: kept?.mxid, removed } };
}

/**
 * Puts what this server itself bound in spellings that differ by case under the folded address: the newest stays, with its
 * dates, signed and hashed anew; the others are deleted, and their owners told before. Broken off, it may be begun anew;
 * somebody may then be told twice.
 * @param isDry only looks what would become of them
 * @returns what has become of each address
 */
export async function* casefold(
  deps: CasefoldDependencies,
  isDry: boolean,
): AsyncGenerator<FoldedAddress> {
  const { storage, keys, progress } = deps;
  const { stores } = storage;
  const task = await progress.begin('Folding the case of addresses', () =>
    stores.adoption.countLogAfter(0),
  );
  for (let after: number | undefined = 0; after !== undefined; ) {
    const entries: StoredLocalAssociation[] = await stores.associations.logAfter(after, BATCH);
    const unfolded = entries.filter(isUnfolded);
    const folded = new Set(unfolded.map(({ address }) => foldAddress('email', address)));
    for (const address of folded) {
      const of = (await stores.ownAssociations.entriesOf(keys.serverName, [address])).get(address);
      // Each address comes once, with the first of its spellings.
      const first = Math.min(...(of ?? []).filter(isUnfolded).map(({ id }) => id));
      if (of === undefined || !unfolded.some(({ id }) => id === first)) continue;
      yield await foldOne(deps, address, of, isDry);
      await task.advance(0);
    }
    after = entries.length < BATCH ? undefined : entries.at(-1)?.id;
    await task.advance(entries.length);
  }
  task.end();
}

async function foldOne(
  deps: CasefoldDependencies,
  address: string,
  seen: readonly StoredLocalAssociation[],
  isDry: boolean,
): Promise<FoldedAddress> {
  const { plan } = planOf(address, seen);
  if (isDry) return { ...plan, left: false };
  for (const mail of plan.removed) {
    if (!(await isTold(deps, mail))) return { ...plan, left: true };
  }
  const ids = new Set(seen.map(({ id }) => id));
  const isDone = await deps.storage.logTransaction(async (stores) => {
    const now = await stores.ownAssociations.entriesOf(deps.keys.serverName, [address]);
    const entries = now.get(address) ?? [];
    // Somebody has bound it meanwhile, and so put it in order.
    if (entries.length !== ids.size || entries.some(({ id }) => !ids.has(id))) return false;
    await writeFolded(deps, stores, address, entries);
    return true;
  }, address);
  await pause(REST);
  return { ...plan, left: !isDone };
}

async function writeFolded(
  { keys, clock, pepper }: CasefoldDependencies,
  stores: Parameters<Parameters<Storage['logTransaction']>[0]>[0],
  address: string,
  entries: readonly StoredLocalAssociation[],
): Promise<void> {
  const { serverName } = keys;
  const medium = 'email';
  const { kept } = planOf(address, entries);
  if (kept === undefined) return;
  const known = await stores.associations.known({ medium, address }, serverName);
  const { mxid, ts, notBefore, notAfter } = kept;
  const isBound = mxid !== undefined && notBefore !== undefined && notAfter !== undefined;
  const hash = isBound ? lookupHash(address, medium, pepper) : undefined;
  const entry = { medium, address, mxid, ts, notBefore, notAfter, lookupHash: hash };
  // As they were found: by an association's keys alone a deletion of another spelling is not.
  const replaced = new Map([...known.logged, ...entries].map((one) => [one.id, one]));
  const all = { ...known, logged: [...replaced.values()] };
  const originId = await say(stores, entry, all, { serverName, now: clock.now() });
  const rows = new Set(entries.map(({ id }) => id));
  const isOwn = known.published.filter(
    (one) => one.originServer === serverName && rows.has(one.originId),
  );
  await stores.associations.deletePublished(isOwn);
  if (!isBound) return;
  const stored = { medium, address, mxid, ts, notBefore, notAfter };
  await stores.associations.publish(
    {
      ...stored,
      originServer: serverName,
      originId,
      signedJson: JSON.stringify(keys.sign(toAssociation(stored))),
      lookupHash: lookupHash(address, medium, pepper),
    },
    lookupKeys(storedAddress(kept), pepper),
  );
}

/** Whether the mail has gone out, as far as this server can know. */
async function isTold({ sendMail }: CasefoldDependencies, mail: MigrationMail): Promise<boolean> {
  if (sendMail === undefined) return true;
  for (let time = 1; ; time++) {
    try {
      await sendMail(mail);
      return true;
    } catch {
      if (time === TRIES) return false;
      await pause(FIRST_WAIT * 2 ** (time - 1));
    }
  }
}
