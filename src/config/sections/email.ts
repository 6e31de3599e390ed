import type { EmailConfig } from '../config.ts';
import {
  days,
  InvalidValueError,
  type Key,
  lines,
  list,
  numberFrom,
  orAbsent,
  port,
  positive,
  rate,
  sydentBurst,
  text,
} from '../keys.ts';
import { addressIn, oneLine, tlsMode } from '../mail-values.ts';
import type { ConfigReader } from '../reader.ts';
import { readWebClients, WEB_CLIENTS } from './web-clients.ts';

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
  smtpHost: {
    section,
    name: 'email.smtphost',
    default: 'localhost',
    parse: (value: string) => {
      if (/^[^\s/]+$/.test(value)) return value;
      throw new InvalidValueError('a host name or address');
    },
    about: 'The SMTP relay.',
  },
  smtpPort: {
    section,
    name: 'email.smtpport',
    default: '25',
    parse: port,
    about: 'The port of the relay. 0: the usual one, 25, or 465 with TLS.',
  },
  smtpUsername: {
    section,
    name: 'email.smtpusername',
    default: '',
    parse: text,
    about: 'The user name at the relay. Empty: no authentication.',
  },
  smtpPassword: {
    section,
    name: 'email.smtppassword',
    default: '',
    parse: text,
    secret: true,
    about: 'The password at the relay.',
  },
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
  tlsMode: {
    section,
    name: 'email.tlsmode',
    default: '0',
    parse: tlsMode,
    about:
      'How the connection to the relay is protected: 0 (not at all), STARTTLS, or TLS. Certificates are verified.',
  },
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

const HAS_PORT = 'must be a host name or address alone; the port stands in email.smtpport';

/** As Python's smtplib: instead of port 0 it takes one behind the host's name, else the usual one. */
function readRelay(reader: ConfigReader): EmailConfig['smtp'] {
  const relay = {
    host: reader.read(EMAIL.smtpHost),
    port: reader.read(EMAIL.smtpPort),
    username: reader.read(EMAIL.smtpUsername),
    password: reader.read(EMAIL.smtpPassword),
    tlsMode: reader.read(EMAIL.tlsMode),
  };
  const [, host, behind] = /^([^:]+):(\d{1,5})$/.exec(relay.host) ?? [];
  if (relay.port !== 0) {
    if (host !== undefined) reader.problem(section, EMAIL.smtpHost.name, HAS_PORT);
    return relay;
  }
  const usual = relay.tlsMode === 'tls' ? 465 : 25;
  return { ...relay, host: host ?? relay.host, port: Number(behind ?? 0) || usual };
}

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
    inviteSubject: reader.read(EMAIL.inviteSubject),
    inviteSubjectSpace: reader.read(EMAIL.inviteSubjectSpace),
    smtp: readRelay(reader),
    hostname,
    template: reader.read(EMAIL.template),
    inviteTemplate: reader.read(EMAIL.inviteTemplate),
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
