import type { AccessConfig, RateLimit } from '../config.ts';
import { boolean, burst, days, type Key, rate } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

const section = 'general';

/** Keys of `[general]`: what users may do, and how often. */
export const ACCESS = {
  accessTokenLifetime: {
    section,
    name: 'access_token.lifetime_days',
    default: '90',
    parse: days,
    own: true,
    about: 'An access token that nobody has used for so many days is forgotten. 0: none is.',
  },
  allowNone: {
    section,
    name: 'lookup.allow_none',
    default: 'true',
    parse: boolean,
    own: true,
    about:
      'Whether lookups of version 2 take addresses as they are (algorithm none), and not only their hashes.',
  },
  registerBurst: {
    section,
    name: 'register.ratelimit.burst',
    default: '0',
    parse: burst,
    own: true,
    about:
      'How often one client address may register at once; an IPv6 network of /64 counts as one. 0: as often as it likes.',
  },
  registerRate: {
    section,
    name: 'register.ratelimit.rate_hz',
    default: '1/60',
    parse: rate,
    own: true,
    about: 'How often a second one client address may register in the long run.',
  },
  lookupAccountBurst: {
    section,
    name: 'lookup.account_ratelimit.burst',
    default: '0',
    parse: burst,
    own: true,
    about: 'How many addresses one account may look up at once. 0: as many as it likes.',
  },
  lookupAccountRate: {
    section,
    name: 'lookup.account_ratelimit.rate_hz',
    default: '1/10',
    parse: rate,
    own: true,
    about: 'How many addresses a second one account may look up in the long run.',
  },
  lookupClientBurst: {
    section,
    name: 'lookup.client_ratelimit.burst',
    default: '0',
    parse: burst,
    own: true,
    about:
      'How many addresses may be looked up from one client address (of IPv6, one network of /64) at once, in all versions. 0: any number.',
  },
  lookupClientRate: {
    section,
    name: 'lookup.client_ratelimit.rate_hz',
    default: '1',
    parse: rate,
    own: true,
    about: 'How many addresses a second may be looked up from one client address in the long run.',
  },
} satisfies Record<string, Key<unknown>>;

export function readAccess(reader: ConfigReader): AccessConfig {
  const limit = (burstKey: Key<number>, rateKey: Key<number>): RateLimit | undefined => {
    const [size, rateHz] = [reader.read(burstKey), reader.read(rateKey)];
    return size === 0 ? undefined : { burst: size, rateHz };
  };
  return {
    tokenLifetime: reader.read(ACCESS.accessTokenLifetime),
    lookupAllowNone: reader.read(ACCESS.allowNone),
    registerRateLimit: limit(ACCESS.registerBurst, ACCESS.registerRate),
    lookupAccountRateLimit: limit(ACCESS.lookupAccountBurst, ACCESS.lookupAccountRate),
    lookupClientRateLimit: limit(ACCESS.lookupClientBurst, ACCESS.lookupClientRate),
  };
}
