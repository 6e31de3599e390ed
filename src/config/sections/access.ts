import { boolean, burst, days, type Key, orAbsent, rate } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';
import { trustedHomeservers } from '../server-lists.ts';

/** What users may do. */
export interface AccessConfig {
  /** Milliseconds that an access token lives unused; 0: for ever. */
  readonly tokenLifetime: number;
  /** Whether v2 lookups take addresses that are not hashed. */
  readonly lookupAllowNone: boolean;
  /** Lower case: those whose users share no limit of lookups. */
  readonly lookupTrustedHomeservers: readonly string[];
  /** Lower case: those whose users need not accept the terms here. */
  readonly termsTrustedHomeservers: readonly string[];
}

const section = 'general';

/** Keys of `[general]`: what users may do, and what limits were called before they had a section. */
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
  trustedHomeservers: {
    section,
    name: 'lookup.trusted_homeservers',
    default: '',
    parse: trustedHomeservers,
    own: true,
    about:
      'Homeservers, between commas, to which the limit lookup.homeserver does not apply. Those in homeserver_allow_list are trusted in any case.',
  },
  termsTrusted: {
    section,
    name: 'terms.trusted_homeservers',
    default: '',
    parse: trustedHomeservers,
    own: true,
    about:
      'Homeservers, between commas, whose users need not accept the terms here: their operator did, or has them accept these.',
  },
  registerBurst: {
    section,
    name: 'register.ratelimit.burst',
    default: undefined,
    parse: orAbsent(burst),
    own: true,
    deprecated: true,
    about: 'Use [limits] register.ratelimit.burst. 0: no limit.',
  },
  registerRate: {
    section,
    name: 'register.ratelimit.rate_hz',
    default: '1/60',
    parse: rate,
    own: true,
    deprecated: true,
    about: 'Use [limits] register.ratelimit.rate_hz. It counts where the key before it is set.',
  },
  lookupAccountBurst: {
    section,
    name: 'lookup.account_ratelimit.burst',
    default: undefined,
    parse: orAbsent(burst),
    own: true,
    deprecated: true,
    about: 'Use [limits] lookup.account.burst. 0: no limit.',
  },
  lookupAccountRate: {
    section,
    name: 'lookup.account_ratelimit.rate_hz',
    default: '1/10',
    parse: rate,
    own: true,
    deprecated: true,
    about: 'Use [limits] lookup.account.rate_hz. It counts where the key before it is set.',
  },
  lookupClientBurst: {
    section,
    name: 'lookup.client_ratelimit.burst',
    default: undefined,
    parse: orAbsent(burst),
    own: true,
    deprecated: true,
    about: 'Use [limits] lookup.network.burst. 0: no limit.',
  },
  lookupClientRate: {
    section,
    name: 'lookup.client_ratelimit.rate_hz',
    default: '1',
    parse: rate,
    own: true,
    deprecated: true,
    about: 'Use [limits] lookup.network.rate_hz. It counts where the key before it is set.',
  },
} satisfies Record<string, Key<unknown>>;

export function readAccess(reader: ConfigReader): AccessConfig {
  return {
    tokenLifetime: reader.read(ACCESS.accessTokenLifetime),
    lookupAllowNone: reader.read(ACCESS.allowNone),
    lookupTrustedHomeservers: reader.read(ACCESS.trustedHomeservers),
    termsTrustedHomeservers: reader.read(ACCESS.termsTrusted),
  };
}
