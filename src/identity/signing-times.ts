import type { Clock } from '../platform/clock.ts';
import type { Storage, Stores } from '../storage/stores/index.ts';
import type { ServerKeys } from './server-keys.ts';

/** From when on a key has signed. */
interface Turn {
  /** Unpadded base64. */
  readonly key: string;
  /** Milliseconds. */
  readonly since: number;
}

const TIMES = 'signing_keys';
/** Beyond that, those that came first are forgotten. */
const MOST = 100;
/** Milliseconds for which a node may go on to sign by the former key after another has taken up the new one. */
const OVERLAP = 60 * 60 * 1000;

const read = async ({ state }: Pick<Stores, 'state'>): Promise<readonly Turn[]> =>
  JSON.parse((await state.get(TIMES)) ?? '[]');

/** Notes which key signs from now on, where that is another than before. */
export async function noteSigningKey(
  storage: Pick<Storage, 'stores' | 'logTransaction'>,
  { keys, clock }: { readonly keys: ServerKeys; readonly clock: Clock },
): Promise<void> {
  const key = keys.currentPublicKey;
  const isNoted = (turns: readonly Turn[]) => turns.at(-1)?.key === key;
  if (isNoted(await read(storage.stores))) return;
  await storage.logTransaction(async (stores) => {
    const turns = await read(stores);
    if (isNoted(turns)) return;
    // Where there was no other before it has always signed.
    const since = turns.length === 0 && keys.signingIds.length === 1 ? 0 : clock.now();
    await stores.state.set(TIMES, JSON.stringify([...turns, { key, since }].slice(-MOST)));
  });
}

/** Tells by which keys an invitation may be known to its room that came at a time. */
export type KeysAt = (time: number | undefined) => readonly string[];

/**
 * Which of the keys may have signed at a time: rather one too many than one too few. What came before anything was
 * noted may be of any key that was not in force first.
 * @param all those that can sign, the one that does first
 */
export async function signingTimes(
  stores: Pick<Stores, 'state'>,
  all: readonly string[],
): Promise<KeysAt> {
  const turns = await read(stores);
  const [first] = turns;
  /** When a key took over that was new: back to a former one may be a single node, with an older file, beside others. */
  const endOf = (at: number) =>
    turns.find(
      ({ key }, later) => later > at && turns.findIndex((turn) => turn.key === key) === later,
    )?.since ?? Infinity;
  const spans = all.flatMap((key) => {
    const own = turns.flatMap((turn, at) =>
      turn.key === key ? [{ key, from: turn.since, to: endOf(at) + OVERLAP }] : [],
    );
    return own.length > 0 ? own : [{ key, from: 0, to: (first?.since ?? Infinity) + OVERLAP }];
  });
  return (time) => [
    ...new Set(
      spans
        .filter(({ from, to }) => time === undefined || (time >= from && time < to))
        .map(({ key }) => key),
    ),
  ];
}
