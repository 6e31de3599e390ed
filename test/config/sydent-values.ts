import { SIGNING_KEY } from '../support/server.ts';

/** Values that one key of Sydent's may have in files out there. */
export interface KeyValues {
  readonly section: string;
  readonly key: string;
  /** As they stand behind the `=`; further lines are indented. */
  readonly values: readonly string[];
  /** What has to stand beside the key in its section for the value to matter. */
  readonly beside?: string;
}

const SEED = SIGNING_KEY.split(' ')[2] ?? '';

/** `٣` is Arabic for 3, and `５` a wide 5. */
const WHOLE = [
  '+5',
  '007',
  '1_000',
  '٣',
  '５',
  '\n5',
  '0',
  '-0',
  '-1',
  '1e3',
  '5.0',
  '0x10',
  'many',
];
const RATES = ['0.5', '.5', '5.', '1e-3', '1_0.5', '٣', '1/60', 'inf', 'nan', '0', '-1', 'fast'];
const NUMBERS = ['', ...WHOLE];
const PORTS = [...NUMBERS, '65536'];
const BOOLEANS = ['', 'TRUE', 'yes', 'On', '1', '\ntrue', 'False', 'no', 'OFF', '0', '2', 't'];
const NAMES = ['', 'some/path', 'a b', 'grün'];

const keys = (section: string, values: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(values).map(([key, list]): KeyValues => ({ section, key, values: list }));

/** For each key of Sydent's what can be written there that is not simply right. */
export const SYDENT_VALUES: readonly KeyValues[] = [
  ...keys('general', {
    'server.name': ['', 'id.example.org:8090', 'id_server', '[::1]:8090', 'a b', 'https://a.test'],
    'log.path': NAMES,
    'log.level': ['', 'DEBUG', 'WARN', 'FATAL', 'NOTSET', 'warning', '10', 'TRACE', 'loud'],
    'pidfile.path': NAMES,
    'terms.path': NAMES,
    address_lookup_limit: [...NUMBERS, '5000000', '9'.repeat(30)],
    'templates.path': NAMES,
    'brand.default': ['', 'my brand', 'grün', '.hidden', '../res', '..', 'a/b'],
    sentry_dsn: ['', 'https://key@sentry.test/1'],
    enable_v1_associations: BOOLEANS,
    enable_v1_access: BOOLEANS,
    delete_tokens_on_bind: BOOLEANS,
    'ip.blacklist': [
      '',
      '10.0.0.0/8',
      '10.1.2.3/8',
      '10.0.0.0/255.0.0.0',
      '10.0.0.0/0.255.255.255',
      '10/8',
      '192.168/16',
      ' 10.0.0.1 , fe80::/10 ',
      '10.0.0.1,',
      '\n10.0.0.1,\nfd00::/8',
      '10.0.0.0/255.0.255.0',
      '10.0.0.0/33',
      '10.0.0.0/',
      'localhost',
      'fe80::1%eth0',
    ],
    'ip.whitelist': ['', '10.0.0.0/255.0.0.0', 'localhost'],
  }),
  { section: 'general', key: 'prometheus_port', values: PORTS, beside: 'prometheus_addr = ::1' },
  { section: 'general', key: 'prometheus_port', values: ['9000'] },
  {
    section: 'general',
    key: 'prometheus_addr',
    values: ['', '127.0.0.1'],
    beside: 'prometheus_port = 9000',
  },
  { section: 'general', key: 'prometheus_addr', values: ['', '127.0.0.1'] },
  {
    section: 'general',
    key: 'homeserver_allow_list',
    values: ['', 'A.test, b.test:8448', 'a.test,', ',', 'https://a.test', 'a.test\nb.test'],
    beside: 'enable_v1_access = false',
  },
  { section: 'general', key: 'homeserver_allow_list', values: ['', 'a.test'] },
  {
    section: 'general',
    key: 'homeserver_allow_list',
    values: ['a.test'],
    beside: 'enable_v1_access =',
  },
  ...keys('db', { 'db.file': ['', ':memory:', 'a b.db'] }),
  ...keys('http', {
    'clientapi.http.bind_address': ['', '127.0.0.1'],
    'clientapi.http.port': PORTS,
    'internalapi.http.bind_address': ['', '127.0.0.1'],
    'internalapi.http.port': PORTS,
    'replication.https.certfile': ['', '/nowhere/cert.pem'],
    'replication.https.cacert': ['', '/nowhere/ca.pem'],
    'replication.https.bind_address': ['', '127.0.0.1'],
    'replication.https.port': PORTS,
    obey_x_forwarded_for: BOOLEANS,
    'federation.verifycerts': BOOLEANS,
    verify_response_template: NAMES,
    client_http_base: [
      ...['', 'https://id.test/', 'http://id.test', 'id.test', 'id.test:8090/x', 'localhost:8090'],
      ...['ftp://id.test', 'https://id.test/?x', '//id.test', 'a b'],
    ],
  }),
  {
    section: 'http',
    key: 'internalapi.http.bind_address',
    values: ['', '127.0.0.1'],
    beside: 'internalapi.http.port = 8091',
  },
  ...keys('email', {
    'email.from': [
      '',
      'a@host',
      'N <a@b.test>',
      '<a@b.test>',
      '"N, O" <a@b.test>',
      '"N <O>" <a@b.test>',
      'a@b.test (N)',
      'N <a@{hostname}>',
      'nobody',
      'N <>',
      'N <a@b',
      'a b@c',
      'N <a@b> c',
    ],
    'email.subject': ['', 'Hello'],
    'email.invite.subject': [
      '',
      '%(sender_display_name)s',
      '%(no_such_thing)s',
      '100%%',
      '100%',
      '%(room_name)r',
      'a\nb',
    ],
    'email.invite.subject_space': ['', '%(room_name)s', '100%'],
    'email.smtphost': ['', '::1', 'mail.test', 'mail.test:587', 'smtp://mail.test'],
    'email.smtpport': PORTS,
    'email.smtpusername': ['', 'user'],
    'email.smtppassword': ['', 'hush'],
    'email.hostname': ['', 'my_host', 'a b'],
    'email.tlsmode': ['', '0', 'SSL', 'starttls', 'None', '1', 'true'],
    'email.template': NAMES,
    'email.invite_template': NAMES,
    'email.default_web_client_location': ['', 'https://web.test/', 'web.test', 'ftp://web.test'],
    'email.third_party_invite_username_obfuscate_characters': [...NUMBERS, '-2', '501'],
    'email.third_party_invite_domain_obfuscate_characters': [...NUMBERS, '-2', '501'],
    'email.third_party_invite_homeserver_blocklist': ['', 'a.test, b.test', '\na.test\n\nB.test'],
    'email.third_party_invite_room_blocklist': ['', '!a:b.test', '\n!a:b.test\n!c'],
    'email.third_party_invite_keyword_blocklist': ['', 'Buy Now', '\nbuy\nnow'],
    'email.ratelimit_sender.burst': NUMBERS,
    'email.ratelimit_sender.rate_hz': ['', ...RATES],
  }),
  {
    section: 'email',
    key: 'email.smtphost',
    values: ['mail.test', 'mail.test:587', '::1', 'mail.test:0'],
    beside: 'email.smtpport = 0',
  },
  {
    section: 'email',
    key: 'email.smtphost',
    values: ['mail.test'],
    beside: 'email.smtpport = 0\nemail.tlsmode = TLS',
  },
  ...keys('sms', {
    bodyTemplate: [
      '',
      'no code',
      '{token}',
      '{{{token}}}',
      '{{token}}',
      '{token!s}',
      '{code}',
      '{}',
      '{token',
    ],
    username: ['', 'user'],
    password: ['', 'hush'],
    'originators.44': [
      '',
      'long:447700900000',
      'alpha:A B, short:123',
      'long:+44 7700',
      'alpha: X',
      'alpha:',
      'long:1,',
      'fax:1',
      'LONG:1',
      'alpha:a:b',
      '447700900000',
    ],
    'originators.default': ['', 'alpha:X'],
    'originators.uk': ['alpha:X'],
    'originators.+44': ['alpha:X'],
    'originators.44.old': ['alpha:X'],
    'smsrule.44': ['', 'allow', 'reject', 'Reject', 'deny'],
    'smsrule.4470': ['allow', 'reject'],
    'smsrule.uk': ['reject'],
    'smsrule.default': ['reject'],
    'msisdn.ratelimit.burst': NUMBERS,
    'msisdn.ratelimit.rate_hz': ['', ...RATES],
    'country.ratelimit.burst': NUMBERS,
    'country.ratelimit.rate_hz': ['', ...RATES],
  }),
  ...keys('crypto', {
    'ed25519.signingkey': [
      '',
      `ed25519 a_1 ${SEED}`,
      `ed25519 a-b ${SEED}`,
      `ed25519\t0  ${SEED}=`,
      `\n${SIGNING_KEY}`,
      `${SIGNING_KEY} # mine`,
      `ed25519 0 ${SEED.replaceAll('+', '-').replaceAll('/', '_')}`,
      '0123456789abcdef'.repeat(4),
      '0123456789ABCDEF'.repeat(4),
      'abc',
      'ed25519 0',
      'rsa 0 AAAA',
      'ed25519 0 c2hvcnQ',
    ],
  }),
  ...keys('peer.p.test', {
    base_replication_url: ['', 'https://p.test:4434/', 'http://p.test', 'p.test', 'nonsense'],
  }),
];
