import {
  LIMITS,
  type LimitDescription,
  type LimitName,
  type LimitSetting,
  type LimitSettings,
  wholeOf,
} from '../../model/limits.ts';
import { burst, type Key, oneOf, orAbsent, positive, rateOrOff } from '../keys.ts';
import { networks } from '../networks.ts';
import type { ConfigReader } from '../reader.ts';
import { ACCESS } from './access.ts';
import { EMAIL } from './email.ts';
import { SMS } from './sms.ts';

/** How often things may be done; `settings` holds one entry for each limit that is on. */
export interface LimitsConfig {
  readonly settings: LimitSettings;
  /** Addresses and CIDRs to which limits by client network do not apply. */
  readonly trustedNetworks: readonly string[];
}

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

/** What stands behind the default value of a limit. */
const NOTES: Readonly<Partial<Record<Name, string>>> = {
  'mail.network_v1': ', or what email.ratelimit_sender says where that is more',
};

const describe = (name: Name): LimitDescription => LIMITS[name];

/** What a part has of the whole, as text behind its default. */
function noteOf(name: Name): string {
  const { version1Of, partOf } = describe(name);
  const set = version1Of === undefined ? '' : `; or what is set for ${version1Of}`;
  return `${NOTES[name] ?? ''}${set}${partOf === undefined ? '' : `; off with ${partOf}`}`;
}

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
    ...common('burst', 'burst', `\`${size}\`${noteOf(name)}`),
    parse: orAbsent(burst),
    about: `How many ${counts}${rateHz === undefined ? '' : ', at once'}. 0: any number.`,
  };
  if (rateHz === undefined) return { burst: key };
  const speed: OptionalNumber = {
    ...common('rate', 'rate_hz', `\`${rateHz}\`${noteOf(name)}`),
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

/** What `[limits]` sets of a limit. */
interface OwnValues {
  readonly burst: number | undefined;
  readonly rateHz: number | undefined;
}

interface Measure {
  readonly burst: number;
  readonly rateHz: number;
  /** Whether `[limits]` says something of it, or of the whole for it. */
  readonly isSet: boolean;
  readonly isOff: boolean;
  readonly refuses: boolean;
}

function ownValues(reader: ConfigReader, name: Name): OwnValues {
  const keys = KEYS.get(name);
  return { burst: keys && reader.read(keys.burst), rateHz: keys?.rate && reader.read(keys.rate) };
}

const turnsOff = ({ burst, rateHz }: OwnValues) => burst === 0 || rateHz === 0;

/** What the file says of a limit, or the default. */
function measure(reader: ConfigReader, name: Name, enforce: boolean): Measure {
  const { burst: size, rateHz: speed, sydent = false, version1Of } = describe(name);
  const own = ownValues(reader, name);
  const isOwn = own.burst !== undefined || own.rateHz !== undefined;
  const whole = wholeOf(name);
  const ofWhole = whole === undefined || isOwn ? undefined : ownValues(reader, whole);
  const set = (version1Of !== undefined && ofWhole) || own;
  const isSet = set.burst !== undefined || set.rateHz !== undefined;
  const earlier = EARLIER[name];
  const earlierBurst = earlier && reader.read(earlier.burst);
  const before =
    earlier === undefined || earlierBurst === undefined
      ? undefined
      : { burst: earlierBurst, rateHz: reader.read(earlier.rate) };
  const burst = set.burst ?? before?.burst ?? size;
  const rateHz = set.rateHz ?? before?.rateHz ?? (speed === undefined ? Infinity : positive(speed));
  return {
    burst,
    rateHz,
    isSet,
    isOff:
      (ofWhole !== undefined && turnsOff(ofWhole)) ||
      rateHz === 0 ||
      // Sydent's burst of 0 lets nothing through.
      (burst === 0 && (isSet || !sydent)),
    // What was set when nothing said `limits.enforce` was meant to refuse.
    refuses: enforce || sydent || (before !== undefined && !isSet),
  };
}

/** As many as Sydent lets through, where nothing else is set. */
const atLeast = (own: Measure, sender: Measure): Measure =>
  own.isSet
    ? own
    : {
        ...own,
        burst: Math.max(own.burst, sender.burst),
        rateHz: Math.max(own.rateHz, sender.rateHz),
      };

export function readLimits(reader: ConfigReader): LimitsConfig {
  const enforce = reader.read(LIMITS_IN_GENERAL.enforce) === 'true';
  const measures = Object.fromEntries(
    names.map((name) => [name, measure(reader, name, enforce)]),
  ) as Record<Name, Measure>;
  measures['mail.network_v1'] = atLeast(
    measures['mail.network_v1'],
    measures['email.ratelimit_sender'],
  );
  const settings: Partial<Record<LimitName, LimitSetting>> = {};
  for (const name of names) {
    const { isOff, isSet: _, ...limit } = measures[name];
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
