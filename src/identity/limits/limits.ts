import type { Logger } from 'pino';
import { IdentityError, reason } from '../../model/errors.ts';
import {
  LIMITS,
  type LimitDescription,
  type LimitName,
  type LimitSetting,
  type LimitSettings,
  wholeOf,
} from '../../model/limits.ts';
import type { Ask, Buckets, RateLimit } from '../../platform/buckets.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Blocks } from './blocks.ts';
import type { Caller } from './charges.ts';
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

/** Who may do how much of what, in all processes that share their buckets. */
export interface Limits {
  /**
   * Refuses whom operators keep out for a while; to be asked before anything is charged.
   * @param user who the caller says it is, where there is no account
   * @throws IdentityError `limit-exceeded`
   */
  admit(caller: Caller, user?: string): void;
  /**
   * Looks at all, then counts all: where one is reached, nothing is counted.
   * @throws IdentityError `limit-exceeded`, which names the limit, with `retry_after_ms`; UnavailableError while what
   *   holds the counts is away
   */
  charge(charges: readonly Charge[]): Promise<Charged>;
  /** Looks as `charge` does, and counts nothing. @throws what `charge` throws */
  look(charges: readonly Charge[]): Promise<void>;
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
  /**
   * Gives all who share the limit their whole allowance, once a generation: processes that share their buckets count
   * together while they say the same.
   */
  refill(limit: LimitName, generation: string): void;
}

export interface LimitsDependencies {
  readonly blocks?: Pick<Blocks, 'admit'>;
  readonly settings: LimitSettings;
  readonly buckets: Buckets;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for each request that meets a limit that is reached. */
  readonly onExceeded: (limit: LimitName, refuses: boolean) => void;
  /** Called with whom it was that met it. */
  readonly onHit?: (limit: LimitName, ask: Ask) => void;
}

const FAIR_SHARE = 2;
/** Who did something within the last hour is in a bucket that takes an hour to drain. */
const LAST_HOUR = { bucket: 'last hour', units: 1, limit: { burst: 1, rateHz: 1 / 3600 } };

/** What there is too much of, where a person who reads it can do something with that. */
const TOO_MUCH: Partial<Record<LimitName, string>> = {
  'msisdn.ratelimit': 'text messages to this number',
  'country.ratelimit': 'text messages to numbers of this country',
  'sms.account': 'text messages by this account',
  'sms.network': 'text messages from this network',
  'sms.daily': 'text messages today',
};

/** The refusal of what a limit does not let through. */
export function limitExceeded(limit: LimitName, retryAfterMs: number): IdentityError {
  const whole = wholeOf(limit);
  const name = whole === undefined ? limit : `${whole} (${limit})`;
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new IdentityError(
    'limit-exceeded',
    `Too many ${TOO_MUCH[limit] ?? 'requests'}: the limit ${name} is reached; try again in ${seconds} s`,
    { details: { retry_after_ms: retryAfterMs, ...reason(limit) } },
  );
}

/** A charge whose limit is on. */
interface Entry {
  readonly name: keyof typeof LIMITS;
  readonly setting: LimitSetting;
  readonly ask: Ask;
  /** Who is to be known for it for an hour, where the limit goes by fair share. */
  readonly sharer: string | undefined;
}

/** What became of charges: each is taken, or has a wait. */
interface Outcome {
  readonly waits: readonly number[];
  readonly taken: readonly Ask[];
}

const describe = (limit: keyof typeof LIMITS): LimitDescription => LIMITS[limit];

function measure({ limit, size }: Charge, { burst, rateHz }: LimitSetting): RateLimit {
  const { daily = false, fairShare } = describe(limit);
  const sized = burst * (size?.burst ?? 1);
  return {
    burst: sized,
    rateHz: rateHz * (size?.rate ?? 1),
    daily,
    ...(fairShare === undefined ? {} : { ceiling: sized * FAIR_SHARE }),
  };
}

/** The same, up to what fair share allows, which is for nobody else. */
const enlarged = (ask: Ask): Ask => ({
  ...ask,
  limit: { ...ask.limit, burst: ask.limit.ceiling ?? ask.limit.burst },
  refuses: true,
});

const isRefused = (asks: readonly Ask[], waits: readonly number[]) =>
  asks.some(({ refuses }, index) => refuses && waits[index] !== 0);

export function createLimits(deps: LimitsDependencies): Limits {
  const { settings, buckets } = deps;
  const generations = new Map<LimitName, string>();
  const log = createLimitLog(deps.logger, deps.clock);

  const bucketOf = (limit: LimitName) => `${limit} ${generations.get(limit) ?? ''}`;

  function note(limit: LimitName, setting: LimitSetting): boolean {
    deps.onExceeded(limit, setting.refuses);
    log.exceeded(limit, setting);
    return setting.refuses;
  }

  /** Of those whose limit is on. */
  const entriesOf = (charges: readonly Charge[]): Entry[] =>
    charges.flatMap((charge) => {
      const { limit: name, key, units = 1, by } = charge;
      const setting = settings[name];
      if (setting === undefined) return [];
      const { fairShare } = describe(name);
      const limit = measure(charge, setting);
      const ask = { bucket: bucketOf(name), key, units, limit, refuses: setting.refuses };
      const sharer = fairShare === undefined || by === undefined ? undefined : `${fairShare} ${by}`;
      return [{ name, setting, ask, sharer }];
    });

  const lastHourOf = (entries: readonly Entry[]): Ask[] => {
    const sharers = entries.flatMap(({ sharer }) => (sharer === undefined ? [] : [sharer]));
    return [...new Set(sharers)].map((key) => ({ ...LAST_HOUR, key, refuses: true }));
  };

  /** Takes what the limits that are full keep for those who took nothing in the last hour. */
  async function takeFairShare(
    entries: readonly Entry[],
    { waits, taken }: Outcome,
  ): Promise<Outcome> {
    const isShared = ({ sharer }: Entry, index: number) =>
      sharer !== undefined && waits[index] !== 0;
    const full = entries.filter(isShared);
    const isLost = entries.some((entry, index) => {
      return entry.setting.refuses && waits[index] !== 0 && !isShared(entry, index);
    });
    if (full.length === 0 || isLost) return { waits, taken };
    // Where they refuse, nothing was taken of the others either.
    const others = entries.filter((entry) => !taken.includes(entry.ask) && !full.includes(entry));
    const asks = [...full.map(({ ask }) => enlarged(ask)), ...others.map(({ ask }) => ask)];
    const marks = lastHourOf(full);
    const then = await buckets.take([...asks, ...marks]);
    if (isRefused([...asks, ...marks], then)) return { waits, taken };
    return {
      waits: waits.map((wait, index) => (isShared(entries[index] as Entry, index) ? 0 : wait)),
      taken: [...taken, ...asks.filter((_, index) => then[index] === 0)],
    };
  }

  async function take(entries: readonly Entry[]): Promise<Outcome> {
    const asks = entries.map(({ ask }) => ask);
    const waits = await buckets.take(asks);
    const taken = isRefused(asks, waits) ? [] : asks.filter((_, index) => waits[index] === 0);
    const outcome = await takeFairShare(entries, { waits, taken });
    if (outcome.taken.length > 0) buckets.fill(lastHourOf(entries));
    return outcome;
  }

  /** @throws IdentityError `limit-exceeded` */
  function refuse(entries: readonly Entry[], waits: readonly number[]): void {
    const [longest] = entries
      .map((entry, index) => ({ ...entry, wait: waits[index] ?? 0 }))
      .filter(({ name, setting, ask, wait }) => {
        if (wait > 0) deps.onHit?.(name, ask);
        return wait > 0 && note(name, setting);
      })
      .sort((a, b) => b.wait - a.wait);
    if (longest !== undefined) throw limitExceeded(longest.name, longest.wait);
  }

  return {
    admit: (caller, user) => deps.blocks?.admit(caller, user),
    async charge(charges) {
      const entries = entriesOf(charges);
      const { waits, taken } = await take(entries);
      refuse(entries, waits);
      return { giveBack: () => buckets.giveBack(taken) };
    },
    async look(charges) {
      const entries = entriesOf(charges);
      refuse(entries, await buckets.look(entries.map(({ ask }) => ask)));
    },
    count(charges) {
      buckets.fill(entriesOf(charges).map(({ ask }) => ask));
    },
    most: (limit) => settings[limit]?.burst ?? Infinity,
    refuses: (limit) => settings[limit]?.refuses ?? false,
    reached(limit) {
      const setting = settings[limit];
      return setting !== undefined && note(limit, setting);
    },
    refill(limit, generation) {
      if (generations.get(limit) === generation) return;
      buckets.clear(bucketOf(limit));
      generations.set(limit, generation);
    },
  };
}
