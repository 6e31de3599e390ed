import { isServerName } from '../../identity/server-name.ts';
import type { GeneralConfig } from '../config.ts';
import {
  addressesWithPort,
  brand,
  days,
  hours,
  InvalidValueError,
  type Key,
  list,
  networks,
  oneOf,
  onlyTrue,
  port,
  text,
  wholeNumber,
} from '../keys.ts';
import { logLevel } from '../log-level.ts';
import type { ConfigReader } from '../reader.ts';

const section = 'general';

function serverName(value: string): string {
  if (isServerName(value)) return value;
  throw new InvalidValueError('a host name or IP address, with a port maybe, such as example.org');
}

function alias(value: string): string {
  const [name = '', ...path] = value.split('/');
  if (isServerName(name) && !/[\s?#]/.test(path.join('/'))) return value;
  throw new InvalidValueError('hosts between commas, each with a port and a path maybe');
}

export const GENERAL = {
  serverName: {
    section,
    name: 'server.name',
    default: 'localhost',
    defaultNote: 'the host name',
    environment: 'SYDENT_SERVER_NAME',
    parse: serverName,
    about:
      'The name of this server, in whose name it signs, used exactly as written. Changing it makes what was signed before look like another server’s; when only the case of its letters changes, what this server has bound is signed anew at the next start.',
  },
  logPath: {
    section,
    name: 'log.path',
    default: '',
    parse: text,
    about:
      'The file to log to. Empty: standard error. It starts anew at midnight; SIGHUP opens it again.',
  },
  logLevel: {
    section,
    name: 'log.level',
    default: 'INFO',
    parse: logLevel,
    about: 'The least serious level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL.',
  },
  logFormat: {
    section,
    name: 'log.format',
    default: 'auto',
    parse: oneOf('auto', 'json', 'pretty'),
    own: true,
    about:
      'How lines are logged: json, pretty (to be read by people), or auto: pretty on a terminal, else json.',
  },
  pidFile: {
    section,
    name: 'pidfile.path',
    default: 'sydent.pid',
    environment: 'SYDENT_PID_FILE',
    parse: text,
    about: 'The file that holds the process id while the server runs. Empty: none.',
  },
  termsPath: {
    section,
    name: 'terms.path',
    default: '',
    parse: text,
    about: 'A YAML file with the terms that users have to accept. Empty: none.',
  },
  addressLookupLimit: {
    section,
    name: 'address_lookup_limit',
    default: '10000',
    parse: wholeNumber(1, 1_000_000),
    about: 'How many addresses one lookup may ask for.',
  },
  templatesPath: {
    section,
    name: 'templates.path',
    default: 'res',
    parse: text,
    about:
      'The folder of the templates, one folder a brand in it. What it lacks is built in for the brands matrix-org and vector-im.',
  },
  defaultBrand: {
    section,
    name: 'brand.default',
    default: 'matrix-org',
    parse: brand,
    about: 'The brand of those who ask for none, or for one that does not exist.',
  },
  prometheusPort: {
    section,
    name: 'prometheus_port',
    default: undefined,
    parse: (value: string) => (value === '' ? undefined : port(value)),
    about: 'The port of the Prometheus metrics. Needs prometheus_addr as well.',
  },
  prometheusAddress: {
    section,
    name: 'prometheus_addr',
    default: undefined,
    parse: text,
    about:
      'The address on which Prometheus metrics are served, for example 127.0.0.1. Needs prometheus_port as well.',
  },
  sentryDsn: {
    section,
    name: 'sentry_dsn',
    default: undefined,
    parse: text,
    secret: true,
    about:
      'Sydent reports errors to this Sentry project. Accepted and not used: errors are in the log and in the metrics.',
  },
  enableV1Associations: {
    section,
    name: 'enable_v1_associations',
    default: 'true',
    parse: onlyTrue,
    about: 'Whether 3pid/bind exists in API version 1, where nobody has to log in.',
  },
  enableV1Access: {
    section,
    name: 'enable_v1_access',
    default: 'true',
    parse: onlyTrue,
    about:
      'Whether API version 1 is served at all. The keys that it has published stay readable in any case.',
  },
  deleteTokensOnBind: {
    section,
    name: 'delete_tokens_on_bind',
    default: 'true',
    parse: onlyTrue,
    about: 'Whether an invitation is deleted once it has been delivered.',
  },
  ipBlacklist: {
    section,
    name: 'ip.blacklist',
    default: '',
    parse: networks,
    about:
      'Addresses and CIDRs that outbound requests must not reach, between commas. Empty: private, loopback and other special networks.',
  },
  ipWhitelist: {
    section,
    name: 'ip.whitelist',
    default: '',
    parse: networks,
    about: 'Exceptions from ip.blacklist.',
  },
  homeserverAllowList: {
    section,
    name: 'homeserver_allow_list',
    default: '',
    parse: (value: string) => list(value).map((name) => serverName(name).toLowerCase()),
    about:
      'Homeservers whose users may register, between commas. Empty: all. Needs enable_v1_access = false.',
  },
  serverAliases: {
    section,
    name: 'server.aliases',
    default: '',
    parse: (value: string) => list(value).map(alias),
    own: true,
    about:
      'Other names of this server, between commas: hosts, with a port and a path maybe. Homeservers sign requests for the name that their client has configured; server.name and the host of client_http_base are accepted in any case.',
  },
  dnsServers: {
    section,
    name: 'dns.servers',
    default: '',
    parse: addressesWithPort,
    own: true,
    about:
      'The DNS servers by which homeservers and other servers are found, between commas: IP addresses, with a port maybe, such as 192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:53. Names in /etc/hosts count first. Empty: those of the system.',
  },
  noticeLifetime: {
    section,
    name: 'onbind.give_up_after_days',
    default: '7',
    parse: days,
    own: true,
    about:
      'For how many days a homeserver that cannot be reached is told again of a binding of one of its users.',
  },
  refusedNoticeLifetime: {
    section,
    name: 'onbind.give_up_refused_after_hours',
    default: '24',
    parse: hours,
    own: true,
    about:
      'For how many hours an invitation that the homeserver of the bound user refuses is offered to it again. 0: one refusal is enough.',
  },
} satisfies Record<string, Key<unknown>>;

export function readGeneral(reader: ConfigReader): GeneralConfig {
  const named = reader.has(GENERAL.serverName) || reader.env['SYDENT_SERVER_NAME'];
  const name = named
    ? reader.read(GENERAL.serverName)
    : isServerName(reader.hostname)
      ? reader.hostname
      : 'localhost';
  if (!named) {
    reader.warn(`[general] server.name is not set; using the host name ${name}, in which to sign`);
  }
  for (const key of [
    GENERAL.enableV1Access,
    GENERAL.enableV1Associations,
    GENERAL.deleteTokensOnBind,
  ]) {
    const value = reader.read({ ...key, parse: text });
    if (!/^(true|false)$/i.test(value)) {
      reader.warn(
        `[general] ${key.name} = ${JSON.stringify(value)} means false; write true or false`,
      );
    }
  }
  const enableV1Access = reader.read(GENERAL.enableV1Access);
  const homeserverAllowList = reader.read(GENERAL.homeserverAllowList);
  if (homeserverAllowList.length > 0 && enableV1Access) {
    reader.problem(
      section,
      GENERAL.homeserverAllowList.name,
      'needs enable_v1_access = false, because API version 1 knows nothing of homeservers',
    );
  }
  const metricsPort = reader.read(GENERAL.prometheusPort);
  const metricsAddress = reader.read(GENERAL.prometheusAddress);
  const metrics = metricsPort !== undefined && metricsAddress !== '';
  if (!metrics && (metricsPort !== undefined || metricsAddress !== '')) {
    reader.warn('[general] prometheus_port and prometheus_addr are both needed; metrics are off');
  }
  if (enableV1Access) {
    const open = reader.read(GENERAL.enableV1Associations)
      ? 'binding and looking up'
      : 'looking up';
    reader.warn(
      `[general] enable_v1_access: in API version 1 ${open} addresses needs no account; set it to false once no client needs it`,
    );
  }
  return {
    serverName: name,
    log: {
      path: reader.read(GENERAL.logPath),
      level: reader.read(GENERAL.logLevel),
      format: reader.read(GENERAL.logFormat),
    },
    pidFile: reader.read(GENERAL.pidFile),
    termsPath: reader.read(GENERAL.termsPath),
    addressLookupLimit: reader.read(GENERAL.addressLookupLimit),
    templatesPath: reader.read(GENERAL.templatesPath),
    defaultBrand: reader.read(GENERAL.defaultBrand),
    prometheus: metrics ? { address: metricsAddress, port: metricsPort } : undefined,
    sentryDsn: reader.read(GENERAL.sentryDsn) || undefined,
    enableV1Associations: reader.read(GENERAL.enableV1Associations),
    enableV1Access,
    deleteTokensOnBind: reader.read(GENERAL.deleteTokensOnBind),
    ipBlacklist: reader.read(GENERAL.ipBlacklist),
    ipWhitelist: reader.read(GENERAL.ipWhitelist),
    homeserverAllowList,
    serverAliases: reader.read(GENERAL.serverAliases),
    dnsServers: reader.read(GENERAL.dnsServers),
    noticeLifetime: reader.read(GENERAL.noticeLifetime),
    refusedNoticeLifetime: reader.read(GENERAL.refusedNoticeLifetime),
  };
}
