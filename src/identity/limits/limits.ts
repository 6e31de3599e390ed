import type { Logger } from 'pino';
import { IdentityError } from '../../model/errors.ts';
import {
  LIMITS,
  type LimitDescription,
  type LimitName,
  type LimitSetting,
  type LimitSettings,
  wholeOf,
} from '../../model/limits.ts';
import { type Buckets, createBuckets, type RateLimit } from '../../platform/buckets.ts';
import type { Clock } from '../../platform/clock.ts';
import { createLastHour } from './last-hour.ts';
import { createLimitLog } from './limit-log.ts';

/** So many units of one limit, for one key. */
export interface Charge {
  readonly limit: keyof typeof LIMITS;
  /** Whose units they are: nothing that can be chosen freely by who asks. */
  readonly key: string;
  /** 1 where it is not said. */
  readonly units?: number;
  /** The limit's burst, and its rate, times this. */
  readonly size?: { readonly burst: number; readonly rate: number };
  /** Who causes it, for a fair share. */
  readonly by?: string;
}

/** What was charged, for what may not come about after all. */
export interface Charged {
  giveBack(): void;
}

/** Who may do how much of what. The state is this process's own. */
export interface Limits {
  /**
   * Looks at all, then counts all: where one is reached, nothing is counted.
   * @throws IdentityError `limit-exceeded`, which names the limit, with `retry_after_ms`
   */
  charge(charges: readonly Charge[]): Promise<Charged>;
  /** Counts what has come about, whether there is room for it or not. */
  count(charges: readonly Charge[]): void;
  /** How many there may be at once, for what is counted where it is; Infinity: any number. */
  most(limit: LimitName): number;
  /** Whether it refuses, or only counts. */
  refuses(limit: LimitName): boolean;
  /**
   * Notes that what is counted elsewhere has reached its limit.
   * @returns whether that is to refuse: else nothing is to come of it.
   */
  reached(limit: LimitName): boolean;
  /** Gives all who share the limit their whole allowance back. */
  refill(limit: LimitName): void;
}

export interface LimitsDependencies {
  readonly settings: LimitSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for each request that meets a limit that is reached. */
  readonly onExceeded: (limit: LimitName, refuses: boolean) => void;
}

const DAY = 24 * 60 * 60 * 1000;
/** Nothing flows off within a day. */
const NEVER_HZ = 1e-9;
const FAIR_SHARE = 2;

/** The refusal of what a limit does not let through. */
export function limitExceeded(limit: LimitName, retryAfterMs: number): IdentityError {
  const whole = wholeOf(limit);
  const name = whole === undefined ? limit : `${whole} (${limit})`;
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new IdentityError(
    'limit-exceeded',
    `Too many requests: the limit ${name} is reached; try again in ${seconds} s`,
    { details: { retry_after_ms: retryAfterMs } },
  );
}

export function createLimits(deps: LimitsDependencies): Limits {
  const { settings, clock } = deps;
  const buckets = new Map<LimitName, Buckets>();
  const lastHour = createLastHour(clock);
  const log = createLimitLog(deps.logger, clock);

  const describe = (limit: keyof typeof LIMITS): LimitDescription => LIMITS[limit];

  function bucketsOf(limit: LimitName): Buckets {
    const found = buckets.get(limit) ?? createBuckets(clock);
    buckets.set(limit, found);
    return found;
  }

  function note(limit: LimitName, setting: LimitSetting): boolean {
    deps.onExceeded(limit, setting.refuses);
    log.exceeded(limit, setting);
    return setting.refuses;
  }

  function measure({ size }: Charge, setting: LimitSetting): RateLimit {
    if (size === undefined) return setting;
    return { burst: setting.burst * size.burst, rateHz: setting.rateHz * size.rate };
  }

  const keyToday = (key: string) => `${Math.floor(clock.now() / DAY)} ${key}`;

  /** One charge whose limit is on, with all that depends on what kind of limit it is. */
  function entry(charge: Charge, setting: LimitSetting) {
    const { daily, fairShare } = describe(charge.limit);
    const store = bucketsOf(charge.limit);
    const key = daily ? keyToday(charge.key) : charge.key;
    const { units = 1, by } = charge;
    const measured = measure(charge, setting);
    const limit = daily ? { burst: measured.burst, rateHz: NEVER_HZ } : measured;
    return {
      setting,
      name: charge.limit,
      wait() {
        const wait = store.wait(key, units, limit);
        if (wait === 0) return 0;
        const isFair =
          fairShare !== undefined && by !== undefined && !lastHour.has(`${fairShare} ${by}`);
        const shared = { ...limit, burst: limit.burst * FAIR_SHARE };
        if (isFair && store.wait(key, units, shared) === 0) return 0;
        return daily ? DAY - (clock.now() % DAY) : wait;
      },
      take() {
        store.take(key, units, limit);
        if (fairShare !== undefined && by !== undefined) lastHour.add(`${fairShare} ${by}`);
      },
      giveBack: () => store.giveBack(key, units, limit),
    };
  }

  /** Of those whose limit is on. */
  const entriesOf = (charges: readonly Charge[]) =>
    charges.flatMap((charge) => {
      const setting = settings[charge.limit];
      return setting === undefined ? [] : [entry(charge, setting)];
    });

  return {
    async charge(charges) {
      const entries = entriesOf(charges);
      const waits = entries
        .map(({ name, setting, wait }) => ({ name, setting, wait: wait() }))
        .filter(({ wait }) => wait > 0);
      const refusals = waits.filter(({ name, setting }) => note(name, setting));
      const [longest] = refusals.sort((a, b) => b.wait - a.wait);
      if (longest !== undefined) throw limitExceeded(longest.name, longest.wait);
      for (const { take } of entries) take();
      return {
        giveBack() {
          for (const { giveBack } of entries) giveBack();
        },
      };
    },
    count(charges) {
      for (const { take } of entriesOf(charges)) take();
    },
    most: (limit) => settings[limit]?.burst ?? Infinity,
    refuses: (limit) => settings[limit]?.refuses ?? false,
    reached(limit) {
      const setting = settings[limit];
      return setting !== undefined && note(limit, setting);
    },
    refill: (limit) => buckets.get(limit)?.clear(),
  };
}
