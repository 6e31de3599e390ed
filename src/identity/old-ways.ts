import type { Clock } from '../platform/clock.ts';
import type { Storage } from '../storage/stores/index.ts';

/** What can be switched off once no client needs it: version 1 of the API, access tokens in the query string. */
export const OLD_WAYS = ['v1', 'query_token'] as const;
export type OldWay = (typeof OLD_WAYS)[number];

/** Notes who still needs them, so that an operator can tell when nobody does. */
export interface OldWays {
  /** A request has needed it. The database gets to know once a minute at most. */
  note(way: OldWay): void;
  /** From now on it is counted, where it was not yet. */
  begin(): Promise<void>;
}

export interface OldWaysDependencies {
  readonly storage: Pick<Storage, 'stores'>;
  readonly clock: Clock;
  /** Called for each request. */
  readonly onUse: (way: OldWay) => void;
  /** Told of uses that could not be noted. */
  readonly onFailure: (error: unknown) => void;
}

const MINUTE = 60 * 1000;
const SINCE = 'old_ways_counted_since';
const keyOf = (way: OldWay) => `old_way_used ${way}`;

export function createOldWays({ storage, clock, onUse, onFailure }: OldWaysDependencies): OldWays {
  const noted = new Map<OldWay, number>();
  const { state } = storage.stores;
  return {
    note(way) {
      onUse(way);
      const now = clock.monotonic();
      if (now - (noted.get(way) ?? Number.NEGATIVE_INFINITY) < MINUTE) return;
      noted.set(way, now);
      state.set(keyOf(way), String(clock.now())).catch(onFailure);
    },
    async begin() {
      if ((await state.get(SINCE)) === undefined) await state.set(SINCE, String(clock.now()));
    },
  };
}

/** When each was needed last, in milliseconds, and since when that is noted; undefined: never. */
export async function lastUses({
  state,
}: Storage['stores']): Promise<Readonly<Record<OldWay | 'since', number | undefined>>> {
  const at = async (key: string) => {
    const text = await state.get(key);
    return text === undefined ? undefined : Number(text);
  };
  return {
    since: await at(SINCE),
    v1: await at(keyOf('v1')),
    query_token: await at(keyOf('query_token')),
  };
}
