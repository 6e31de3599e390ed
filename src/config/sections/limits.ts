import {
  LIMITS,
  type LimitDescription,
  type LimitName,
  type LimitSetting,
} from '../../identity/limits/table.ts';
import type { LimitsConfig } from '../config.ts';
import { burst, type Key, oneOf, orAbsent, positive, rateOrOff } from '../keys.ts';
import { networks } from '../networks.ts';
import type { ConfigReader } from '../reader.ts';
import { ACCESS } from './access.ts';
import { EMAIL } from './email.ts';
import { SMS } from './sms.ts';

const section = 'limits';

/** Keys of `[general]`: how limits are meant. */
export const LIMITS_IN_GENERAL = {
  enforce: {
    section: 'general',
    name: 'limits.enforce',
    default: 'report',
    firstStart: 'true',
    parse: oneOf('report', 'true'),
    own: true,
    about:
      'Whether the limits that Sydent does not have refuse requests. report: they only count, and say in the log what they would refuse. docs/limits.md explains each.',
  },
  trustedNetworks: {
    section: 'general',
    name: 'limits.trusted_networks',
    default: '',
    parse: networks,
    own: true,
    about:
      'Addresses and CIDRs, between commas, to which limits by client network do not apply: homeservers that let this server send the mails and text messages of all their users.',
  },
} satisfies Record<string, Key<unknown>>;

type Name = keyof typeof LIMITS;
type OptionalNumber = Key<number | undefined>;

interface EarlierKeys {
  readonly burst: Key<number | undefined>;
  readonly rate: Key<number>;
}

/** The keys that a limit had before it had some in `[limits]`; they go on being read. */
const EARLIER: Readonly<Partial<Record<Name, EarlierKeys>>> = {
  'email.ratelimit_sender': { burst: EMAIL.rateLimitBurst, rate: EMAIL.rateLimitRate },
  'email.ratelimit_recipient': { burst: EMAIL.recipientBurst, rate: EMAIL.recipientRate },
  'msisdn.ratelimit': { burst: SMS.msisdnBurst, rate: SMS.msisdnRate },
  'country.ratelimit': { burst: SMS.countryBurst, rate: SMS.countryRate },
  'register.ratelimit': { burst: ACCESS.registerBurst, rate: ACCESS.registerRate },
  'lookup.account': { burst: ACCESS.lookupAccountBurst, rate: ACCESS.lookupAccountRate },
  'lookup.network': { burst: ACCESS.lookupClientBurst, rate: ACCESS.lookupClientRate },
  'lookup.network_v1': { burst: ACCESS.lookupClientBurst, rate: ACCESS.lookupClientRate },
};

/** What version 1 may do is never more than what both may, or less than what Sydent allowed. */
const NOTES: Readonly<Partial<Record<Name, string>>> = {
  'mail.network_v1': ', or what email.ratelimit_sender says where that is more',
};

const describe = (name: Name): LimitDescription => LIMITS[name];

function keysOf(name: Name): { burst: OptionalNumber; rate?: OptionalNumber } {
  const { counts, burst: size, rateHz, sydent } = describe(name);
  const earlier = EARLIER[name];
  const common = (
    part: 'burst' | 'rate',
    suffix: string,
    otherwise: string,
  ): Omit<OptionalNumber, 'parse' | 'about'> => {
    const before = earlier?.[part];
    const isAlike = before?.name === `${name}.${suffix}`;
    return {
      section,
      name: `${name}.${suffix}`,
      default: undefined,
      defaultNote: sydent && before ? `what [${before.section}] says` : otherwise,
      own: true,
      ...(isAlike ? { sectionOnly: true } : {}),
    };
  };
  const key: OptionalNumber = {
    ...common('burst', 'burst', `\`${size}\`${NOTES[name] ?? ''}`),
    parse: orAbsent(burst),
    about: `How many ${counts}${rateHz === undefined ? '' : ', at once'}. 0: any number.`,
  };
  if (rateHz === undefined) return { burst: key };
  const speed: OptionalNumber = {
    ...common('rate', 'rate_hz', `\`${rateHz}\`${NOTES[name] ?? ''}`),
    parse: orAbsent(rateOrOff),
    about: 'How many of them a second in the long run. 0: any number.',
  };
  return { burst: key, rate: speed };
}

const names = Object.keys(LIMITS) as Name[];
const KEYS = new Map(names.map((name) => [name, keysOf(name)]));

const DESTINATIONS = {
  section,
  name: 'sms.destinations',
  default: 'refused',
  parse: oneOf('refused', 'allowed'),
  own: true,
  about:
    'Whether text messages go to premium-rate, shared-cost, personal, satellite and non-geographic numbers that no smsrule names.',
} satisfies Key<unknown>;

/** Keys of `[limits]`. */
export const LIMIT_KEYS: readonly Key<unknown>[] = [
  ...[...KEYS.values()].flatMap(({ burst: size, rate: speed }) => (speed ? [size, speed] : [size])),
  DESTINATIONS,
];

interface Measure {
  readonly burst: number;
  readonly rateHz: number;
  /** Whether `[limits]` says something of it. */
  readonly isSet: boolean;
  readonly refuses: boolean;
}

/** What the file says of a limit, or the default. */
function measure(reader: ConfigReader, name: Name, enforce: boolean): Measure {
  const { burst: size, rateHz: speed, sydent = false } = describe(name);
  const keys = KEYS.get(name);
  const own = {
    burst: keys && reader.read(keys.burst),
    rateHz: keys?.rate && reader.read(keys.rate),
  };
  const earlier = EARLIER[name];
  const earlierBurst = earlier && reader.read(earlier.burst);
  const before =
    earlier === undefined || earlierBurst === undefined
      ? undefined
      : { burst: earlierBurst, rateHz: reader.read(earlier.rate) };
  const isSet = own.burst !== undefined || own.rateHz !== undefined;
  return {
    burst: own.burst ?? before?.burst ?? size,
    rateHz: own.rateHz ?? before?.rateHz ?? (speed === undefined ? Infinity : positive(speed)),
    isSet,
    // What was set when nothing said `limits.enforce` was meant to refuse.
    refuses: enforce || sydent || (before !== undefined && !isSet),
  };
}

/** Version 1 has less than both versions, but what Sydent let through. */
function forVersion1(own: Measure, sender: Measure, both: Measure): Measure {
  if (own.isSet) return own;
  const most = (value: number) => (both.isSet && value > 0 ? value : Infinity);
  return {
    ...own,
    burst: Math.min(Math.max(own.burst, sender.burst), most(both.burst)),
    rateHz: Math.min(Math.max(own.rateHz, sender.rateHz), most(both.rateHz)),
  };
}

export function readLimits(reader: ConfigReader): LimitsConfig {
  const enforce = reader.read(LIMITS_IN_GENERAL.enforce) === 'true';
  const measures = Object.fromEntries(
    names.map((name) => [name, measure(reader, name, enforce)]),
  ) as Record<Name, Measure>;
  measures['mail.network_v1'] = forVersion1(
    measures['mail.network_v1'],
    measures['email.ratelimit_sender'],
    measures['mail.network'],
  );
  const settings: Partial<Record<LimitName, LimitSetting>> = {};
  for (const name of names) {
    const { isSet, ...limit } = measures[name];
    // Sydent's burst of 0 lets nothing through.
    const isOff = limit.rateHz === 0 || (limit.burst === 0 && (isSet || !describe(name).sydent));
    if (isOff) continue;
    const keys = `[limits] ${name}.burst${KEYS.get(name)?.rate ? ' and .rate_hz' : ''}`;
    settings[name] = { ...limit, keys };
  }
  if (reader.read(DESTINATIONS) === 'refused') {
    const keys = '[limits] sms.destinations, or [sms] smsrule.PREFIX,';
    settings['sms.destinations'] = { burst: 0, rateHz: 0, refuses: enforce, keys };
  }
  return { settings, trustedNetworks: reader.read(LIMITS_IN_GENERAL.trustedNetworks) };
}
