/** What is known of a limit beside what the configuration says. */
export interface LimitDescription {
  /** What it counts, and by what: ends the sentence "How many …". */
  readonly counts: string;
  /** What may come at once, or be there at the same time. */
  readonly burst: number;
  /** What may come a second in the long run, as a number or fraction; undefined where nothing flows off. */
  readonly rateHz?: string;
  /** Sydent has it: it refuses whatever `limits.enforce` says. */
  readonly sydent?: true;
  /**
   * When it is reached, whoever caused none of these in the last hour still passes, up to twice the burst:
   * one who sends without end takes nothing from those who send once.
   */
  readonly fairShare?: 'mails' | 'messages';
  /** What flows off does so at once, at midnight UTC. */
  readonly daily?: true;
  /** It is a part of that limit: with it, it is off. */
  readonly partOf?: string;
  /** It is what that limit is for version 1: what is set for the whole holds for it, too. */
  readonly version1Of?: string;
}

/**
 * Every limit by its name: what `[limits]` may set, docs/limits.md explains, a 429 names and the metric
 * counts. Those that are not buckets (no rate) are counted where the things themselves are.
 */
export const LIMITS = {
  'email.ratelimit_sender': {
    counts: 'mails one account may cause, or one client address in version 1',
    burst: 5,
    rateHz: '1/300',
    sydent: true,
  },
  'mail.network': {
    counts: 'mails one client network may cause in version 2',
    burst: 200,
    rateHz: '1/6',
  },
  'mail.network_v1': {
    counts: 'mails one client network may cause in version 1',
    burst: 20,
    rateHz: '1/60',
    version1Of: 'mail.network',
  },
  'email.ratelimit_recipient': {
    counts: 'mails may go to one mailbox, whatever its +tag and whoever causes them',
    burst: 20,
    rateHz: '1/300',
  },
  'mail.recipient_share': {
    counts: 'mails to one mailbox any one account or client network may cause',
    burst: 5,
    rateHz: '1/300',
    partOf: 'email.ratelimit_recipient',
  },
  'mail.domain': {
    counts: 'mails may go to one domain',
    burst: 1000,
    rateHz: '1',
    fairShare: 'mails',
  },
  'mail.total': {
    counts: 'mails may be sent in all',
    burst: 5000,
    rateHz: '10',
    fairShare: 'mails',
  },
  'msisdn.ratelimit': {
    counts: 'text messages may go to one number',
    burst: 5,
    rateHz: '1/3600',
    sydent: true,
  },
  'country.ratelimit': {
    counts: 'text messages may go to one calling code',
    burst: 50,
    rateHz: '1/60',
    sydent: true,
    fairShare: 'messages',
  },
  'sms.account': {
    counts: 'text messages one account may cause',
    burst: 5,
    rateHz: '1/600',
  },
  'sms.network': {
    counts: 'text messages one client network may cause',
    burst: 20,
    rateHz: '1/60',
  },
  'sms.daily': {
    counts: 'text messages may be sent on one day (UTC)',
    burst: 5000,
    fairShare: 'messages',
    daily: true,
  },
  'lookup.account': {
    counts: 'addresses one account may look up that it did not ask for in the last 7 days',
    burst: 50_000,
    rateHz: '1/4',
  },
  'lookup.network': {
    counts: 'addresses may be looked up from one client network',
    burst: 200_000,
    rateHz: '2',
  },
  'lookup.network_v1': {
    counts: 'of the addresses from one client network may be looked up in version 1',
    burst: 20_000,
    rateHz: '1/8',
    version1Of: 'lookup.network',
  },
  'lookup.homeserver': {
    counts:
      'addresses the accounts of one homeserver may look up; or 2,000 times the number of its accounts that are older than a week, where that is more',
    burst: 500_000,
    rateHz: '5',
  },
  'register.ratelimit': {
    counts: 'registrations from one client network may succeed',
    burst: 30,
    rateHz: '1/10',
  },
  'outbound.waiting': {
    counts:
      'requests that make this server ask another may wait at once, from one client network, and for one homeserver',
    burst: 20,
  },
  'outbound.failures': {
    counts: 'such requests may fail for one homeserver',
    burst: 30,
    rateHz: '1/10',
    partOf: 'outbound.waiting',
  },
  'bind.session': {
    counts: 'times one session may bind',
    burst: 10,
  },
  'invites.address': {
    counts: 'invitations may be pending for one address',
    burst: 100,
  },
  'invites.sender': {
    counts: 'invitations of one sender may be pending',
    burst: 5000,
  },
} satisfies Record<string, LimitDescription>;

/** `sms.destinations` refuses or does not: it has no numbers. */
export type LimitName = keyof typeof LIMITS | 'sms.destinations';

/** The limit that this one is a part of; undefined for those that are whole. */
export function wholeOf(limit: LimitName): keyof typeof LIMITS | undefined {
  if (limit === 'sms.destinations') return undefined;
  const { partOf, version1Of }: LimitDescription = LIMITS[limit];
  return (partOf ?? version1Of) as keyof typeof LIMITS | undefined;
}

/** What the configuration says of a limit. */
export interface LimitSetting {
  readonly burst: number;
  /** Infinity: everything gets through. */
  readonly rateHz: number;
  /** Whether it refuses; else it only counts and says so in the log. */
  readonly refuses: boolean;
  /** Where it is set: `[limits] mail.total.burst`. */
  readonly keys: string;
}

/** Those that are not there are off. */
export type LimitSettings = Readonly<Partial<Record<LimitName, LimitSetting>>>;
