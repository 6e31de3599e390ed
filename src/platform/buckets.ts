import { createMemoryBuckets, type Measures, NO_WAIT } from './bucket-store.ts';
import type { Clock } from './clock.ts';

/** A leaky bucket's measures, as a limit says them. */
export interface RateLimit {
  /** 0 or less: nothing gets through. */
  readonly burst: number;
  /** Infinity: everything does. */
  readonly rateHz: number;
  /** What others may fill it up to, where that is more than the burst. */
  readonly ceiling?: number;
  /** What flows off does so at once, at midnight UTC, whatever the rate. */
  readonly daily?: boolean;
}

/** Units of one bucket. */
export interface Ask {
  /** Buckets of different limits have nothing to do with each other. */
  readonly bucket: string;
  readonly key: string;
  /** More than a bucket holds count as just that many. */
  readonly units: number;
  readonly limit: RateLimit;
  /** Whether nothing of what is asked for together is taken where this has no room. */
  readonly refuses: boolean;
}

/**
 * Leaky buckets, one a key. One holds `burst` units, and a unit leaves it every `1/rateHz` seconds. Its measures are
 * said with each question, and where they are is hidden behind this: in this process's memory (`createBuckets`), or in a
 * store that several share (`createPortions`).
 */
export interface Buckets {
  /**
   * Takes from all that have room, or where one that refuses has none, from none. Of each 0, or how many milliseconds later
   * there would be room, but no more than a full bucket takes to drain.
   * @throws UnavailableError while the store is away
   */
  take(asks: readonly Ask[]): Promise<number[]>;
  /** What `take` would answer. */
  look(asks: readonly Ask[]): Promise<number[]>;
  /** Puts units in, whether there is room or not: then the bucket is full. */
  fill(asks: readonly Ask[]): void;
  /** Takes units out again that were put in for what did not come about. */
  giveBack(asks: readonly Ask[]): void;
  /** Takes everything out, of whoever put it in. */
  empty(asks: readonly Ask[]): void;
  /** Forgets the buckets of a limit, where they are this process's own. */
  clear(bucket: string): void;
  /** Gives back what was taken for later. */
  stop(): Promise<void>;
}

const DAY = 24 * 60 * 60 * 1000;

/** Units: a bucket of so many holds whatever comes. */
export const UNLIMITED = 2 ** 53;

export function measuresOf({ burst, rateHz, ceiling = 0, daily = false }: RateLimit): Measures {
  const capacity = Math.min(Math.max(burst, 1), UNLIMITED);
  const most = Math.min(Math.max(capacity, ceiling), UNLIMITED);
  // What is in a daily one lies behind midnight, by less than a day.
  const interval = daily ? DAY / 4 / most : 1000 / rateHz;
  return { capacity, ceiling: most, interval, daily };
}

/** What to wait for a bucket whose limit lets nothing through; 0 for any other. */
export const waitForNothing = ({ burst, rateHz }: RateLimit): number =>
  burst > 0 ? 0 : Math.max(1, Math.round(1000 / rateHz));

/** What to wait until a bucket of that level takes so many units more. */
export function waitFor(
  units: number,
  { level, resetsIn }: { readonly level: number; readonly resetsIn: number },
  { capacity, interval, daily }: Measures,
): number {
  const wait = (level + Math.min(units, capacity) - capacity) * interval;
  if (wait < NO_WAIT) return 0;
  return Math.max(1, Math.round(daily ? resetsIn : Math.min(wait, capacity * interval)));
}

const NOTHING = { back: 0, put: 0, least: 0, need: 0, portion: 0 };

/** Buckets in this process's memory. */
export function createBuckets(clock: Clock): Buckets {
  const memory = createMemoryBuckets(clock);

  const askEach = (asks: readonly Ask[], of: (ask: Ask) => Partial<typeof NOTHING>) =>
    memory.ask(
      asks.map((ask) => ({ ...ask, measures: measuresOf(ask.limit), ...NOTHING, ...of(ask) })),
    );

  const look = (asks: readonly Ask[]) =>
    askEach(asks, () => NOTHING).map((answer, index) => {
      const { limit, units } = asks[index] as Ask;
      return waitForNothing(limit) || waitFor(units, answer, measuresOf(limit));
    });

  const fill = (asks: readonly Ask[]) => void askEach(asks, ({ units }) => ({ put: units }));

  return {
    async take(asks) {
      const waits = look(asks);
      const isRefused = asks.some(({ refuses }, index) => refuses && waits[index] !== 0);
      if (!isRefused) fill(asks);
      return waits;
    },
    look: async (asks) => look(asks),
    fill,
    giveBack(asks) {
      askEach(asks, ({ units, limit }) => ({ back: Math.min(units, measuresOf(limit).capacity) }));
    },
    empty: (asks) => void askEach(asks, ({ limit }) => ({ back: measuresOf(limit).ceiling })),
    clear: memory.clear,
    stop: async () => {},
  };
}
