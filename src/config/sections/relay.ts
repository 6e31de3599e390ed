import { boolean, InvalidValueError, type Key, port, text, wholeNumber } from '../keys.ts';
import { tlsMode } from '../mail-values.ts';
import type { ConfigReader } from '../reader.ts';

/** The SMTP relay. */
export interface RelayConfig {
  readonly host: string;
  readonly port: number;
  /** Empty: no authentication. */
  readonly username: string;
  readonly password: string;
  readonly tlsMode: 'none' | 'starttls' | 'tls';
  /** So many at once, at the most. */
  readonly connections: number;
  /** Whether it is asked to report on mails that it cannot deliver. */
  readonly dsn: boolean;
}

const section = 'email';

/** Keys of `[email]`: the relay. */
export const RELAY = {
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
  smtpConnections: {
    section,
    name: 'email.smtp_connections',
    default: '5',
    parse: wholeNumber(1, 100),
    own: true,
    about:
      'How many connections to the relay are open at once, at the most. Where the relay takes fewer, mails wait for those that are open.',
  },
  smtpDsn: {
    section,
    name: 'email.dsn',
    default: 'false',
    parse: boolean,
    own: true,
    about:
      'Whether the relay, where it can (DSN in its greeting), is asked to report mails that are not delivered or delayed to the address in email.from, with the Message-ID and without their text: for cognomen mail bounced. Without, relays report as they like.',
  },
} satisfies Record<string, Key<unknown>>;

export const RELAY_TLS = {
  tlsMode: {
    section,
    name: 'email.tlsmode',
    default: '0',
    parse: tlsMode,
    about:
      'How the connection to the relay is protected: 0 (not at all), STARTTLS, or TLS. Certificates are verified.',
  },
} satisfies Record<string, Key<unknown>>;

const HAS_PORT = 'must be a host name or address alone; the port stands in email.smtpport';

/** As Python's smtplib: instead of port 0 it takes one behind the host's name, else the usual one. */
export function readRelay(reader: ConfigReader): RelayConfig {
  const relay = {
    host: reader.read(RELAY.smtpHost),
    port: reader.read(RELAY.smtpPort),
    username: reader.read(RELAY.smtpUsername),
    password: reader.read(RELAY.smtpPassword),
    tlsMode: reader.read(RELAY_TLS.tlsMode),
    connections: reader.read(RELAY.smtpConnections),
    dsn: reader.read(RELAY.smtpDsn),
  };
  const [, host, behind] = /^([^:]+):(\d{1,5})$/.exec(relay.host) ?? [];
  if (relay.port !== 0) {
    if (host !== undefined) reader.problem(section, RELAY.smtpHost.name, HAS_PORT);
    return relay;
  }
  const usual = relay.tlsMode === 'tls' ? 465 : 25;
  return { ...relay, host: host ?? relay.host, port: Number(behind ?? 0) || usual };
}
