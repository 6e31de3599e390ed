import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/load.ts';
import { SIGNING_KEY } from '../support/server.ts';

const environment = { env: {}, hostname: 'host.example.org' };
const CRYPTO = `[crypto]\ned25519.signingkey = ${SIGNING_KEY}\n`;

const parse = (text: string, env: Record<string, string> = {}) =>
  parseConfig('test.conf', `${text}\n${text.includes('[crypto]') ? '' : CRYPTO}`, {
    ...environment,
    env,
  });

function problemsOf(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('a bad value stops the start, naming section, key, value and what is right', () => {
  test.each([
    [
      '[general]\nserver.name = not a name',
      '[general] server.name = "not a name": must be a host name',
    ],
    ['[general]\nlog.level = LOUD', '[general] log.level = "LOUD": must be one of DEBUG, INFO'],
    [
      '[general]\nlog.format = xml',
      '[general] log.format = "xml": must be one of auto, json, pretty',
    ],
    ['[general]\naddress_lookup_limit = many', 'must be a whole number'],
    [
      '[general]\nbrand.default = ../etc',
      '[general] brand.default = "../etc": must be the name of a folder',
    ],
    ['[general]\nprometheus_port = x\nprometheus_addr = ::', '[general] prometheus_port = "x"'],
    ['[general]\nip.blacklist = 10.0.0.0/33', '("10.0.0.0/33" is neither)'],
    ['[general]\nip.whitelist = example.org', '("example.org" is neither)'],
    [
      '[general]\nhomeserver_allow_list = a.test',
      '[general] homeserver_allow_list: needs enable_v1_access = false',
    ],
    ['[general]\npidfile.path = 5%', '[general] pidfile.path: a % must be written %%'],
    [
      '[db]\ndb.url = mysql://u:hush@h/d',
      '[db] db.url = (hidden): must be a URL such as postgres://',
    ],
    ['[db]\ndb.url = postgres://u:hush@h/d?foo=1', '(it has foo)'],
    [
      '[db]\ndb.url = postgres://u:hush@h/d?sslrootcert=system&sslmode=require',
      'verify-full beside',
    ],
    ['[db]\ndb.url = postgres://u:hush@h/d?host=/run', 'the folder of a socket'],
    ['[db]\ndb.url = postgres:///d?host=relative&user=u', 'the folder of a socket'],
    ['[db]\ndb.url = postgres:///d?host=/run', 'a URL with user, host and database'],
    ['[db]\ndb.url = postgres:///d?host=/run&user=u&port=x', 'a number'],
    ['[db]\ndb.url = postgres://u:hush@h/d?sslmode=maybe', 'sslmode one of disable, prefer'],
    ['[db]\ndb.url = postgres://h/d', 'must be a URL with user, host and database'],
    ['[db]\ndb.pool_size = 0', '[db] db.pool_size = "0": must be a whole number from 1 to 1000'],
    ['[db]\ndb.backup = maybe', '[db] db.backup = "maybe": must be one of true, yes'],
    ['[http]\nclientapi.http.port = 70000', 'must be a whole number from 0 to 65535'],
    [
      '[general]\nregister.ratelimit.burst = -1',
      '[general] register.ratelimit.burst = "-1": must be a number, or 0 for no limit',
    ],
    ['[http]\nobey_x_forwarded_for = sometimes', '[http] obey_x_forwarded_for = "sometimes"'],
    ['[http]\nclient_http_base = ftp://x', 'must be an http:// or https:// URL'],
    ['[http]\nclient_http_base = https://x/?y', 'without query and fragment'],
    ['[http]\nreplication.https.cacert = /nowhere/ca.pem', '/nowhere/ca.pem cannot be read'],
    ['[http]\ninternalapi.token = a b', '[http] internalapi.token = (hidden): must be letters'],
    ['[http]\nnext_link.schemes = javascript', '[http] next_link.schemes = "javascript"'],
    ['[general]\nserver.aliases = a b', '[general] server.aliases = "a b"'],
    ['[general]\ndns.servers = dns.example', '("dns.example" is not one)'],
    ['[general]\ndns.servers = 192.0.2.1:0', '("192.0.2.1:0" is not one)'],
    ['[general]\ndns.servers = [192.0.2.1]:53', '("[192.0.2.1]:53" is not one)'],
    ['[http]\ntrusted_proxies = proxy', '[http] trusted_proxies = "proxy"'],
    ['[email]\nemail.from = nobody', '[email] email.from: must be an address, or a name'],
    ['[email]\nemail.from = A <a@b> c', '[email] email.from: must be an address, or a name'],
    ...[
      ...['other.test', 'ftp://other.test', 'https://a@other.test', 'https:other.test', ','],
      ...['https://other.test/?x', 'https://other.test/#/x', 'https://a.test https://b.test'],
    ].map((entry): [string, string] => [
      `[email]\nemail.web_client_allow_list = ${entry}`,
      `[email] email.web_client_allow_list = "${entry}": must be base URLs such as https://app.element.io between commas, without user, query and fragment ("${entry}" is not one)`,
    ]),
    ['[email]\nemail.smtpport = x', '[email] email.smtpport = "x"'],
    ['[email]\nemail.ratelimit_recipient.burst = 0', 'must be a number above 0'],
    [
      '[email]\nemail.smtphost = a.test:25',
      '[email] email.smtphost: must be a host name or address',
    ],
    ['[general]\nlog.level = constructor', 'must be one of DEBUG, INFO'],
    ['[email]\nemail.ratelimit_sender.rate_hz = fast', 'must be a number above 0, or a fraction'],
    ['[sms]\nbodyTemplate = {code}', '[sms] bodyTemplate = "{code}": must be text with {token}'],
    ['[sms]\nsms.provider = carrier', 'must be one of openmarket, twilio, webhook'],
    ['[sms]\nsms.twilio.account_sid = ../AC', 'sms.twilio.account_sid = "../AC": must be letters'],
    [
      '[sms]\nsms.provider = twilio\nsms.twilio.auth_token = hush',
      '[sms] sms.twilio.account_sid: must be set for sms.provider = twilio',
    ],
    [
      '[sms]\nsms.provider = twilio\nsms.twilio.account_sid = AC1',
      '[sms] sms.twilio.auth_token: must be set for sms.provider = twilio',
    ],
    [
      '[sms]\nsms.provider = twilio\nsms.twilio.account_sid = AC1\nsms.twilio.auth_token = hush',
      '[sms] sms.twilio.from: must be set, or sms.twilio.messaging_service_sid, for sms.provider = twilio',
    ],
    [
      '[sms]\nsms.provider = webhook\nsms.webhook.secret = hush',
      '[sms] sms.webhook.url: must be set for sms.provider = webhook',
    ],
    [
      '[sms]\nsms.provider = webhook\nsms.webhook.url = http://x',
      '[sms] sms.webhook.secret: must be set for sms.provider = webhook',
    ],
    ['[sms]\nsms.provider = webhook\nsms.webhook.url = ftp://x', 'must be an http:// or https://'],
    ['[sms]\nsms.provider = webhook\nsms.webhook.url = http://a:b@x', 'without user, password'],
    ['[email]\nemail.ratelimit_recipient.burst = none', 'must be a number above 0'],
    ['[sms]\noriginators.44 = fax:123', '[sms] originators.44: must be long:NUMBER'],
    ['[sms]\nsmsrule.44 = perhaps', '[sms] smsrule.44: must be allow or reject; it is "perhaps"'],
    ['[crypto]\ned25519.signingkey = rsa 0 abc', '[crypto] ed25519.signingkey = (hidden)'],
    ['[crypto]\ned25519.signingkey = ed25519 0 c2hvcnQ', '[crypto] ed25519.signingkey = (hidden)'],
    [
      `${CRYPTO}ed25519.old_signing_keys = ed25519 1 c2hvcnQ`,
      '[crypto] ed25519.old_signing_keys = (hidden)',
    ],
    [
      `${CRYPTO}ed25519.old_signing_keys = ${SIGNING_KEY}`,
      '[crypto] ed25519.old_signing_keys: each key must have a version of its own',
    ],
    ['[peer.x]\nbase_replication_url = http://x', 'must be an https:// URL'],
  ])('%j', (text, message) => {
    const problems = problemsOf(text);
    expect(problems.join('\n')).toContain(message);
    expect(problems.join('\n')).not.toMatch(/hush|c2hvcnQ|rsa 0/);
  });

  test('everything that is wrong is said at once', () => {
    expect(problemsOf('[general]\nlog.level = x\n[email]\nemail.smtpport = y')).toHaveLength(2);
  });
});

describe('values', () => {
  test('booleans are read as Sydent reads each of them', () => {
    const { config, warnings } = parse(
      '[general]\nenable_v1_access = YES\nenable_v1_associations = True\ndelete_tokens_on_bind = 1\n[http]\nobey_x_forwarded_for = On',
    );
    expect(config.general).toMatchObject({
      enableV1Access: false,
      enableV1Associations: true,
      deleteTokensOnBind: false,
    });
    expect(config.http.obeyXForwardedFor).toBe(true);
    expect(warnings.join('\n')).toContain('enable_v1_access = "YES" means false');
    expect(warnings.join('\n')).not.toContain('enable_v1_associations');
  });

  test('what is odd about proxies is a warning', () => {
    const warned = (http: string) =>
      parse(`[http]\n${http}`).warnings.filter((warning) => warning.includes('trusted_proxies'));
    const obey = 'obey_x_forwarded_for = true';
    const proxies = 'trusted_proxies = 10.0.0.0/8';
    expect(warned(obey)).toEqual([expect.stringContaining('right-most public address')]);
    expect(warned(proxies)).toEqual([expect.stringContaining('means nothing without')]);
    expect(warned(`${obey}\n${proxies}`)).toEqual([]);
    expect(warned('')).toEqual([]);
  });

  test('the environment gives defaults, and the file wins', () => {
    const env = {
      SYDENT_SERVER_NAME: 'env.test',
      SYDENT_DB_PATH: '/env.db',
      SYDENT_PID_FILE: '/env.pid',
    };
    const { config, warnings } = parse('[db]\ndb.file = /file.db', env);
    expect(config.general.serverName).toBe('env.test');
    expect(config.general.pidFile).toBe('/env.pid');
    expect(config.db).toMatchObject({ file: '/file.db' });
    expect(warnings.join('\n')).not.toContain('server.name');
  });

  test('an empty variable of the environment is none, where an empty value would be none', () => {
    const env = { SYDENT_SERVER_NAME: '', SYDENT_DB_PATH: '', SYDENT_PID_FILE: '' };
    const { config, warnings } = parse('', env);
    expect(config.general).toMatchObject({ serverName: 'host.example.org', pidFile: '' });
    expect(config.db).toMatchObject({ file: 'sydent.db' });
    expect(warnings.join('\n')).toContain('server.name is not set');
  });

  test('behind an empty key stand the environment, and then the default', () => {
    const text = '[DEFAULT]\nserver.name =\ndb.file =\n[email]\nport =\nemail.smtpport = %(port)s';
    const env = { SYDENT_SERVER_NAME: 'env.test', SYDENT_DB_PATH: '/env.db' };
    const { config, warnings } = parse(text, env);
    expect(config.general.serverName).toBe('env.test');
    expect(config.db).toMatchObject({ file: '/env.db' });
    expect(config.email.smtp.port).toBe(25);
    expect(warnings).toEqual(
      expect.arrayContaining([
        '[general] server.name is empty and counts as not there: it is env.test (from SYDENT_SERVER_NAME)',
        '[db] db.file is empty and counts as not there: it is /env.db (from SYDENT_DB_PATH)',
        '[email] email.smtpport is empty and counts as not there: it is 25',
      ]),
    );
  });

  test('an empty key in a section hides the one in DEFAULT', () => {
    const { config } = parse('[DEFAULT]\nemail.smtpport = 26\n[email]\nemail.smtpport =');
    expect(config.email.smtp.port).toBe(25);
  });

  test.each(['', '[general]\nserver.name =', '[DEFAULT]\nserver.name =\nlog.path ='])(
    'the name of the host is the system’s, that of mails has its domain: %j',
    (text) => {
      const names = { hostname: 'Box', fullHostname: 'Box.example.org' };
      const { config, warnings } = parseConfig('test.conf', `${text}\n${CRYPTO}`, {
        env: {},
        ...names,
      });
      expect(config.general.serverName).toBe('Box');
      expect(config.email.hostname).toBe('Box.example.org');
      expect(warnings.join('\n')).toMatch(/server\.name is not set, or empty.*\bBox\b/);
    },
  );

  test('without a name the host’s is used, with a warning', () => {
    const { config, warnings } = parse('');
    expect(config.general.serverName).toBe('host.example.org');
    expect(config.http.clientHttpBase).toBe('https://host.example.org');
    expect(config.email).toMatchObject({
      hostname: 'host.example.org',
      from: 'Sydent Validation <noreply@host.example.org>',
      envelopeFrom: 'noreply@host.example.org',
    });
    expect(warnings.join('\n')).toContain('server.name is not set');
    expect(warnings.join('\n')).toContain('client_http_base is not set');
  });

  test('the name is taken exactly as written, wherever it comes from', () => {
    const named = (text: string, env = {}) => parse(text, env).config.general.serverName;
    expect(named('[general]\nserver.name = ID.Example.org:8448')).toBe('ID.Example.org:8448');
    expect(named('', { SYDENT_SERVER_NAME: 'ID.Example.org' })).toBe('ID.Example.org');
    const { config } = parseConfig('test.conf', CRYPTO, {
      env: {},
      hostname: 'ID-Box.Example.org',
    });
    expect(config.general.serverName).toBe('ID-Box.Example.org');
  });

  test('homeservers that may register are compared in lower case', () => {
    const text = '[general]\nenable_v1_access = false\nhomeserver_allow_list = HS.Example.org';
    expect(parse(text).config.general.homeserverAllowList).toEqual(['hs.example.org']);
  });

  test('a PostgreSQL URL is taken apart', () => {
    const { config } = parse(
      '[db]\ndb.url = postgresql://us%%40er:p%%2Fw@[::1]:5433/data?sslmode=verify-full&sslrootcert=/ca.pem\ndb.statement_timeout = 1.5',
    );
    expect(config.db).toEqual({
      engine: 'postgres',
      host: '::1',
      port: 5433,
      user: 'us@er',
      password: 'p/w',
      database: 'data',
      sslMode: 'verify-full',
      sslRootCert: '/ca.pem',
      sslCert: undefined,
      sslKey: undefined,
      poolSize: 10,
      statementTimeout: 1500,
      connectTimeout: 5000,
      startTimeout: 60_000,
      preparedStatements: 'auto',
      replicas: [],
      readMaxLag: 1000,
    });
  });

  test('replicas are URLs between commas or blanks, sixteen at most, with the options of the database', () => {
    const { config } = parse(
      '[db]\ndb.url = postgres://a@one/data\ndb.pool_size = 3\ndb.read_url = postgres://b@two:5433/data,\n  postgres://c@three/data\ndb.read_max_lag = 2.5',
    );
    expect(config.db).toMatchObject({
      readMaxLag: 2500,
      replicas: [
        { host: 'two', port: 5433, user: 'b', poolSize: 3 },
        { host: 'three', port: 5432, user: 'c', poolSize: 3 },
      ],
    });
    const read = (value: string) => () => parse(`[db]\ndb.read_url = ${value}`);
    expect(read('mysql://x@y/z')).toThrow('db.read_url');
    expect(read('postgres://x@y/z '.repeat(17))).toThrow('at most 16 URLs');
    expect(read('postgres://x@y/z '.repeat(16))).not.toThrow();
  });

  test('names that mean nothing are pointed out, with the nearest that does', () => {
    const { warnings } = parse(
      '[general]\nserver.nam = x\nemail.from = a@b\n[genral]\n[http]\nwhatever = 1\n[sms]\nsmsrule.44 = allow',
    );
    expect(warnings).toEqual(
      expect.arrayContaining([
        '[general] server.nam is not a key of this server; did you mean server.name?',
        '[general] email.from belongs in [email]; it is ignored here',
        '[genral] is not a section of this server; did you mean [general]?',
        '[http] whatever is not a key of this server',
      ]),
    );
    expect(warnings.join('\n')).not.toContain('smsrule');
  });

  test('half a Prometheus listener is none, with a warning', () => {
    const { config, warnings } = parse('[general]\nprometheus_port = 9000');
    expect(config.general.prometheus).toBeUndefined();
    expect(warnings.join('\n')).toContain('metrics are off');
  });
});

describe('certificate files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-config-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('a certificate that cannot be read leaves replication off', async () => {
    const { config, warnings } = parse('[http]\nreplication.https.certfile = /nowhere/cert.pem');
    expect(config.http.replication).toBeUndefined();
    expect(warnings.join('\n')).toContain('replication is off');
    const file = path.join(folder, 'cert.pem');
    await writeFile(file, 'x');
    await chmod(file, 0o600);
    expect(parse(`[http]\nreplication.https.certfile = ${file}`).config.http.replication).toEqual({
      address: '::',
      port: 4434,
      certFile: file,
      caCert: '',
    });
  });
});

describe('the internal API without a token', () => {
  const warningsOf = (address: string, more = '') =>
    parse(
      `[http]\ninternalapi.http.port = 8091\ninternalapi.http.bind_address = ${address}\n${more}`,
    ).warnings.filter((warning) => warning.includes('internalapi'));

  test.each(['', '::', '0.0.0.0', '192.0.2.1', '2001:db8::1', 'host.internal', '1270.0.0.1'])(
    'is warned of at %j, and with one is not',
    (address) => {
      expect(warningsOf(address)).toEqual([expect.stringContaining('set internalapi.token')]);
      expect(warningsOf(address, `internalapi.token = ${'x'.repeat(32)}`)).toEqual([]);
    },
  );

  test.each(['::1', '127.0.0.1', '127.3.2.1', 'localhost'])(
    'is taken as it is at %j',
    (address) => {
      expect(warningsOf(address)).toEqual([]);
    },
  );

  test('is not there without a port, and nothing is said', () => {
    expect(parse('[http]\ninternalapi.http.bind_address = 0.0.0.0').warnings.join()).not.toContain(
      'internalapi',
    );
  });

  test('a short token is warned of', () => {
    const [warning] = warningsOf('::1', 'internalapi.token = hush');
    expect(warning).toContain('can be guessed');
    expect(warning).not.toContain('hush');
  });
});
