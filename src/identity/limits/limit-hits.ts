import { foldAddress } from '../../model/addresses.ts';
import type { LimitName } from '../../model/limits.ts';
import { parseMxid } from '../../model/mxid.ts';
import type { Ask, Buckets } from '../../platform/buckets.ts';
import type { Clock } from '../../platform/clock.ts';
import { createNetworkList, isAddress } from '../../platform/ip-addresses.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';

/** Who met a limit, as all processes on a database tell it: nobody's address in it. */
export interface LimitHit {
  readonly limit: string;
  /** An account, a homeserver, a domain; a client network by its name in the log; an address in part. */
  readonly key: string;
  readonly times: number;
  /** Milliseconds. */
  readonly last: number;
}

/** What this process knows of those who meet limits, and how the others, and operators, get to know it. */
export interface LimitHits {
  /** A request met the limit when it was reached. */
  note(limit: LimitName, ask: Ask): void;
  /** Tells what was noted since, and lets those through whom operators want to. */
  exchange(): Promise<void>;
}

export interface LimitHitsDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly buckets: Buckets;
  readonly clock: Clock;
  /** What the log calls a client network. */
  readonly networkName: (network: string) => string | undefined;
}

/** Whom an operator wants to let through. */
interface Reset {
  readonly id: number;
  readonly key: string;
}

const [HITS, RESETS] = ['limit_hits', 'limit_resets'];
/** Beyond that, those that came first are forgotten. */
const MOST = { known: 1000, told: 500, resets: 100 };
/** Milliseconds for which a hit is told of. */
const KEPT = 60 * 60 * 1000;

const readList = async <T>({ state }: Pick<Stores, 'state'>, key: string): Promise<readonly T[]> =>
  JSON.parse((await state.get(key)) ?? '[]');

/** A part of a key as it may be told: of an email address or phone number the beginning. */
function shownPart(part: string, networkName: LimitHitsDependencies['networkName']): string {
  if (isAddress(part.split('/', 1)[0] ?? '')) return networkName(part) ?? 'a network';
  if (parseMxid(part) !== undefined || part.startsWith('@')) return part;
  if (part.includes('@')) return `${part.slice(0, 1)}…${part.slice(part.lastIndexOf('@'))}`;
  return /^\d{6,}$/.test(part) ? `${part.slice(0, 5)}…` : part;
}

/** Whether the operator means this one: by its limit, its key, a part of that, or an address in its network. */
function isMeant(wanted: string, limit: string, ask: Ask, shown: string): boolean {
  const parts = ask.key.split(' ');
  const isName = [limit, ask.key, shown, ...parts, ...shown.split(' ')].includes(wanted);
  if (isName || !isAddress(wanted)) return isName;
  const networks = parts.filter((part) => isAddress(part.split('/', 1)[0] ?? ''));
  return createNetworkList(networks).contains(wanted);
}

export function createLimitHits(deps: LimitHitsDependencies): LimitHits {
  const { storage, buckets, clock, networkName } = deps;
  /** In the order in which they were noted last. */
  const known = new Map<string, { limit: string; ask: Ask; at: number; untold: number }>();
  let applied: number | undefined;

  const shownOf = ({ key }: Ask) =>
    key
      .split(' ')
      .map((part) => shownPart(part, networkName))
      .join(' ');

  /** Empties the buckets of those whom operators want to let through; what is told of them no more. */
  async function applyResets(): Promise<readonly string[]> {
    const resets = await readList<Reset>(storage.stores, RESETS);
    const last = resets.at(-1)?.id ?? 0;
    // What was wanted before this process began was not of its counts.
    const fresh = applied === undefined ? [] : resets.filter(({ id }) => id > (applied ?? 0));
    applied = last;
    const forgotten: string[] = [];
    for (const { key: wanted } of fresh) {
      for (const [id, { limit, ask }] of known) {
        const shown = shownOf(ask);
        if (!isMeant(wanted, limit, ask, shown)) continue;
        buckets.empty([ask]);
        known.delete(id);
        forgotten.push(`${limit} ${shown}`);
      }
    }
    return forgotten;
  }

  async function tell(forgotten: readonly string[]): Promise<void> {
    const untold = [...known.values()].filter(({ untold }) => untold > 0);
    if (untold.length === 0 && forgotten.length === 0) return;
    const fresh = untold.map(({ limit, ask, at, untold: times }): LimitHit => {
      return { limit, key: shownOf(ask), times, last: at };
    });
    for (const one of untold) one.untold = 0;
    await storage.logTransaction(async (stores) => {
      const before = await readList<LimitHit>(stores, HITS);
      const idOf = ({ limit, key }: LimitHit) => `${limit} ${key}`;
      const all = new Map(before.map((hit) => [idOf(hit), hit]));
      for (const id of forgotten) all.delete(id);
      for (const hit of fresh) {
        const times = (all.get(idOf(hit))?.times ?? 0) + hit.times;
        all.set(idOf(hit), { ...hit, times });
      }
      const kept = [...all.values()]
        .filter(({ last }) => last > clock.now() - KEPT)
        .sort((a, b) => b.last - a.last)
        .slice(0, MOST.told);
      await stores.state.set(HITS, JSON.stringify(kept));
    });
  }

  return {
    note(limit, ask) {
      const id = `${ask.bucket}\n${ask.key}`;
      const untold = (known.get(id)?.untold ?? 0) + 1;
      known.delete(id);
      known.set(id, { limit, ask, at: clock.now(), untold });
      const [oldest] = known.size > MOST.known ? known.keys() : [];
      if (oldest !== undefined) known.delete(oldest);
    },
    exchange: async () => tell(await applyResets()),
  };
}

/** Who met limits lately, the last first. */
export async function limitHits(stores: Pick<Stores, 'state'>, now: number): Promise<LimitHit[]> {
  const all = await readList<LimitHit>(stores, HITS);
  return all.filter(({ last }) => last > now - KEPT);
}

/** Lets running servers let somebody through: each looks every two seconds. */
export const wantReset = (
  {
    storage,
    clock,
  }: Pick<LimitHitsDependencies, 'clock'> & { storage: Pick<Storage, 'logTransaction'> },
  key: string,
): Promise<void> =>
  storage.logTransaction(async (stores) => {
    const now = clock.now();
    const before = await readList<Reset>(stores, RESETS);
    // By the time, and not by those that are there: of these none may be left.
    const id = Math.max(now, (before.at(-1)?.id ?? 0) + 1);
    const fresh = before.filter((one) => one.id > now - KEPT);
    const resets = [...fresh, { id, key }].slice(-MOST.resets);
    await stores.state.set(RESETS, JSON.stringify(resets));
  });

/** Whether an operator, who may write an address in any way, means that one. */
const isNameOf = (name: string, wanted: string) =>
  [wanted, ...wanted.split(' '), wanted.replaceAll(/[\s+().-]/g, '')].some(
    (text) => foldAddress('email', text) === name || text === name,
  );

/**
 * Forgets who met limits, and whom operators let through, where it is that one. To be called under the log's lock.
 * @param name a user id, or a folded address
 */
export async function forgetLimitHits(stores: Pick<Stores, 'state'>, name: string): Promise<void> {
  const shown = shownPart(name, () => undefined);
  const hits = await readList<LimitHit>(stores, HITS);
  const others = hits.filter(({ key }) => !key.split(' ').includes(shown));
  if (others.length < hits.length) await stores.state.set(HITS, JSON.stringify(others));
  const resets = await readList<Reset>(stores, RESETS);
  const left = resets.filter(({ key }) => !isNameOf(name, key));
  if (left.length < resets.length) await stores.state.set(RESETS, JSON.stringify(left));
}
