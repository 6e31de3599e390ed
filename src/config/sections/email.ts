import { LANGUAGES, type Language } from '../../model/languages.ts';
import {
  boolean,
  days,
  InvalidValueError,
  type Key,
  lines,
  list,
  numberFrom,
  oneOf,
  orAbsent,
  positive,
  rate,
  sydentBurst,
  text,
} from '../keys.ts';
import { addressIn, oneLine } from '../mail-values.ts';
import type { ConfigReader } from '../reader.ts';
import { RELAY, RELAY_TLS, type RelayConfig, readRelay } from './relay.ts';
import { readWebClients, WEB_CLIENTS } from './web-clients.ts';

export interface EmailConfig {
  /** The From header, `{hostname}` filled in. */
  readonly from: string;
  /** The address inside `from`. */
  readonly envelopeFrom: string;
  readonly subject: string;
  /** Of mails and pages for who asks for none that there is. */
  readonly defaultLanguage: Language;
  /** Raw, with Python's %-format markers. */
  readonly inviteSubject: string;
  readonly inviteSubjectSpace: string;
  readonly smtp: RelayConfig;
  /** The name this server gives itself to the relay and in Message-IDs. */
  readonly hostname: string;
  /** Deprecated single template files; empty: none. */
  readonly template: string;
  readonly inviteTemplate: string;
  /** Whether validation mails have a short code beside the link, to be typed into an app. */
  readonly shortCodes: boolean;
  readonly defaultWebClientLocation: string;
  /** Base URLs of the web clients that invitations may link to; empty: see the key. */
  readonly webClientAllowList: readonly string[];
  /** Shown at the start; negative: hidden at the end. */
  readonly obfuscateUsernameCharacters: number;
  readonly obfuscateDomainCharacters: number;
  readonly homeserverBlocklist: readonly string[];
  readonly roomBlocklist: readonly string[];
  readonly keywordBlocklist: readonly string[];
  readonly invites: {
    /** Names of store-invite arguments that reach the template beside the specification's. */
    readonly extraFields: readonly string[];
    /** Milliseconds that an invitation stays pending; 0: for ever. */
    readonly expiry: number;
    /** Milliseconds that an invitation's key stays valid once it is no longer pending. */
    readonly keyGrace: number;
  };
}

const section = 'email';

/** Negative: so many are hidden, at the end. */
const shownCharacters = numberFrom(0, (value) => {
  const last = value === -1 ? 'the last character' : `the last ${-value} characters`;
  return `that everything but ${last} is shown`;
});

export const EMAIL = {
  from: {
    section,
    name: 'email.from',
    default: 'Sydent Validation <noreply@{hostname}>',
    firstStart: 'Identity server {hostname} <noreply@{hostname}>',
    parse: text,
    about:
      'The From of mails: an address, or a name and an address in <>. {hostname} is email.hostname.',
  },
  subject: {
    section,
    name: 'email.subject',
    default: 'Your Validation Token',
    parse: text,
    about: 'Kept for old configurations; the subject stands in the template.',
  },
  inviteSubject: {
    section,
    name: 'email.invite.subject',
    default: '%(sender_display_name)s has invited you to chat',
    raw: true,
    parse: oneLine,
    about:
      'The subject of invitations to a room; %(sender_display_name)s and the other values of the invitation are filled in.',
  },
  inviteSubjectSpace: {
    section,
    name: 'email.invite.subject_space',
    default: '%(sender_display_name)s has invited you to a space',
    raw: true,
    parse: oneLine,
    about: 'The subject of invitations to a space.',
  },
  defaultLanguage: {
    section,
    name: 'email.default_language',
    default: 'en',
    parse: oneOf(...LANGUAGES),
    own: true,
    about: `The language of mails and pages for those whose browser, app or homeserver asks for none of those that there are: ${LANGUAGES.join(', ')}.`,
  },
  ...RELAY,
  hostname: {
    section,
    name: 'email.hostname',
    default: '',
    defaultNote: 'the host name',
    parse: (value: string) => {
      if (/^[A-Za-z0-9._:[\]-]*$/.test(value)) return value;
      throw new InvalidValueError('a host name');
    },
    about:
      'The name this server gives itself towards the relay and in Message-IDs. Empty: the host name.',
  },
  ...RELAY_TLS,
  template: {
    section,
    name: 'email.template',
    default: undefined,
    parse: text,
    deprecated: true,
    about:
      'One file for the validation mail, whatever the brand. Better: a brand’s verification_template.eml.',
  },
  inviteTemplate: {
    section,
    name: 'email.invite_template',
    default: undefined,
    parse: text,
    deprecated: true,
    about:
      'One file for the invitation mail, whatever the brand. Better: a brand’s invite_template.eml.',
  },
  shortCodes: {
    section,
    name: 'email.short_codes',
    default: 'false',
    parse: boolean,
    own: true,
    about:
      'Whether validation mails have a code of 8 characters beside the link, which is as good as the token: for apps that let people type it. Templates of your own have it as the variable code.',
  },
  ...WEB_CLIENTS,
  obfuscateUsername: {
    section,
    name: 'email.third_party_invite_username_obfuscate_characters',
    default: '3',
    parse: shownCharacters,
    about:
      'How much of an invited address’s part before the @ a room gets to see; of a shorter one it sees less.',
  },
  obfuscateDomain: {
    section,
    name: 'email.third_party_invite_domain_obfuscate_characters',
    default: '3',
    parse: shownCharacters,
    about:
      'How much of an invited address’s domain a room gets to see; of a shorter one it sees less.',
  },
  homeserverBlocklist: {
    section,
    name: 'email.third_party_invite_homeserver_blocklist',
    default: '',
    parse: lines,
    about: 'Homeservers whose users cannot invite by mail, one a line.',
  },
  roomBlocklist: {
    section,
    name: 'email.third_party_invite_room_blocklist',
    default: '',
    parse: lines,
    about: 'Rooms to which nobody can be invited by mail, one id a line.',
  },
  keywordBlocklist: {
    section,
    name: 'email.third_party_invite_keyword_blocklist',
    default: '',
    parse: lines,
    about: 'Words that no invitation may hold, one a line.',
  },
  rateLimitBurst: {
    section,
    name: 'email.ratelimit_sender.burst',
    default: '5',
    parse: sydentBurst,
    about: 'How many mails one sender may cause at once. 0: none at all.',
  },
  rateLimitRate: {
    section,
    name: 'email.ratelimit_sender.rate_hz',
    default: '1/300',
    parse: rate,
    about: 'How many mails a second one sender may cause in the long run.',
  },
  recipientBurst: {
    section,
    name: 'email.ratelimit_recipient.burst',
    default: undefined,
    parse: orAbsent(positive),
    own: true,
    deprecated: true,
    about: 'Use [limits] email.ratelimit_recipient.burst.',
  },
  recipientRate: {
    section,
    name: 'email.ratelimit_recipient.rate_hz',
    default: '1/300',
    parse: rate,
    own: true,
    deprecated: true,
    about:
      'Use [limits] email.ratelimit_recipient.rate_hz. It counts where the key before it is set.',
  },
  inviteExtraFields: {
    section,
    name: 'email.invite.extra_fields',
    default: '',
    parse: list,
    own: true,
    about:
      'Further arguments of store-invite that the invitation template may use, between commas. The specification’s fields and those that begin with guest_ are always there.',
  },
  inviteExpiry: {
    section,
    name: 'email.invite.expiry_days',
    default: '0',
    parse: days,
    own: true,
    about: 'After how many days an invitation that nobody took up is deleted. 0: never.',
  },
  inviteKeyGrace: {
    section,
    name: 'email.invite.key_grace_days',
    default: '30',
    parse: days,
    own: true,
    about:
      'For how many days the key of an invitation stays valid after the invitation was delivered or has expired.',
  },
} satisfies Record<string, Key<unknown>>;

export function readEmail(reader: ConfigReader): EmailConfig {
  const hostname = reader.read(EMAIL.hostname) || reader.fullHostname || reader.hostname;
  const from = reader.read(EMAIL.from).replaceAll('{hostname}', hostname);
  const envelopeFrom = addressIn(from);
  if (envelopeFrom === undefined || /\p{Cc}/u.test(from)) {
    reader.problem(
      section,
      EMAIL.from.name,
      `must be an address, or a name and an address in <>; ${JSON.stringify(from)} is neither`,
    );
  }
  return {
    from,
    envelopeFrom: envelopeFrom ?? '',
    subject: reader.read(EMAIL.subject),
    defaultLanguage: reader.read(EMAIL.defaultLanguage),
    inviteSubject: reader.read(EMAIL.inviteSubject),
    inviteSubjectSpace: reader.read(EMAIL.inviteSubjectSpace),
    smtp: readRelay(reader),
    hostname,
    template: reader.read(EMAIL.template),
    inviteTemplate: reader.read(EMAIL.inviteTemplate),
    shortCodes: reader.read(EMAIL.shortCodes),
    ...readWebClients(reader),
    obfuscateUsernameCharacters: reader.read(EMAIL.obfuscateUsername),
    obfuscateDomainCharacters: reader.read(EMAIL.obfuscateDomain),
    homeserverBlocklist: reader.read(EMAIL.homeserverBlocklist),
    roomBlocklist: reader.read(EMAIL.roomBlocklist),
    keywordBlocklist: reader.read(EMAIL.keywordBlocklist),
    invites: {
      extraFields: reader.read(EMAIL.inviteExtraFields),
      expiry: reader.read(EMAIL.inviteExpiry),
      keyGrace: reader.read(EMAIL.inviteKeyGrace),
    },
  };
}
