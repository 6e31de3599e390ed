import { isServerName } from '../../model/server-name.ts';
import type { ReportTarget } from '../../platform/error-reports.ts';
import {
  addressesWithPort,
  brand,
  days,
  dsn,
  InvalidValueError,
  type Key,
  numberFrom,
  onlyTrue,
  text,
  type Warn,
} from '../keys.ts';
import type { Listener } from '../listener.ts';
import { networks } from '../networks.ts';
import type { ConfigReader } from '../reader.ts';
import { aliases, homeservers } from '../server-lists.ts';
import { givenUnder } from '../sources.ts';
import { LOG, type LogConfig, readLog } from './log.ts';
import { NOTICES, type NoticesConfig, readNotices } from './notices.ts';
import { OPERATOR, type OperatorConfig, readOperator } from './operator.ts';
import { PROCESSES, type ProcessesConfig, readProcesses } from './processes.ts';
import { PROMETHEUS, readPrometheus } from './prometheus.ts';

export interface GeneralConfig extends ProcessesConfig, NoticesConfig {
  /** The name that signs; lower case. */
  readonly serverName: string;
  readonly log: LogConfig;
  /** Empty: none is written. */
  readonly pidFile: string;
  /** Empty: no terms. */
  readonly termsPath: string;
  /** 0 or less: none can be looked up. */
  readonly addressLookupLimit: number;
  readonly templatesPath: string;
  readonly defaultBrand: string;
  readonly operator: OperatorConfig;
  readonly prometheus: Listener | undefined;
  /** Where errors are reported to, beside the log. */
  readonly sentry: ReportTarget | undefined;
  readonly enableV1Associations: boolean;
  readonly enableV1Access: boolean;
  readonly deleteTokensOnBind: boolean;
  /** Addresses and CIDRs. */
  readonly ipBlacklist: readonly string[];
  readonly ipWhitelist: readonly string[];
  readonly homeserverAllowList: readonly string[];
  /** Hosts with or without a port and a path: names of this server beside server.name and client_http_base. */
  readonly serverAliases: readonly string[];
  /** Addresses with or without a port; empty: the system's. */
  readonly dnsServers: readonly string[];
  /** Milliseconds that the deletion of an erased address waits for peers at most. */
  readonly tombstoneLifetime: number;
}

const section = 'general';

/** More than the specification allows, `_` above all: what Sydent took stands in signatures. */
const canSign = (name: string) => /^[\w.:[\]-]{1,255}$/.test(name);

function serverName(value: string, warn: Warn): string {
  if (!canSign(value)) {
    const names = 'a host name or IP address, with or without a port, such as example.org';
    throw new InvalidValueError(names);
  }
  if (!isServerName(value))
    warn('a name that the Matrix specification does not allow; others may refuse it');
  return value;
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
  ...LOG,
  pidFile: {
    section,
    name: 'pidfile.path',
    default: 'sydent.pid',
    environment: 'SYDENT_PID_FILE',
    parse: text,
    emptyCounts: true,
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
    parse: numberFrom(1, () => 'that every lookup is refused'),
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
    emptyCounts: true,
    about:
      'The brand of those who ask for none, or for one that does not exist. Empty: the templates stand in templates.path itself.',
  },
  ...OPERATOR,
  ...PROMETHEUS,
  sentryDsn: {
    section,
    name: 'sentry_dsn',
    default: undefined,
    parse: dsn,
    secret: true,
    about:
      'The Sentry project that errors of the log are reported to, as https://KEY@HOST/PROJECT: the line and the stack, nothing of who asked. Empty: to none.',
  },
  enableV1Associations: {
    section,
    name: 'enable_v1_associations',
    default: 'true',
    parse: onlyTrue,
    emptyCounts: true,
    about: 'Whether 3pid/bind exists in API version 1, where nobody has to log in.',
  },
  enableV1Access: {
    section,
    name: 'enable_v1_access',
    default: 'true',
    parse: onlyTrue,
    emptyCounts: true,
    about:
      'Whether API version 1 is served at all. The keys that it has published stay readable in any case.',
  },
  deleteTokensOnBind: {
    section,
    name: 'delete_tokens_on_bind',
    default: 'true',
    parse: onlyTrue,
    emptyCounts: true,
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
    parse: homeservers,
    about:
      'Homeservers whose users may register, between commas. Empty: all. Needs enable_v1_access = false.',
  },
  serverAliases: {
    section,
    name: 'server.aliases',
    default: '',
    parse: aliases,
    own: true,
    about:
      'Other names of this server, between commas: hosts, with or without a port and a path. Homeservers sign requests for the name that their client has configured; server.name and the host of client_http_base are accepted in any case.',
  },
  dnsServers: {
    section,
    name: 'dns.servers',
    default: '',
    parse: addressesWithPort,
    own: true,
    about:
      'The DNS servers by which homeservers and other servers are found, between commas: IP addresses, with or without a port, such as 192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:53. Names in /etc/hosts count first. Empty: those of the system.',
  },
  ...NOTICES,
  tombstoneLifetime: {
    section,
    name: 'erasure.tombstone_days',
    default: '30',
    parse: days,
    own: true,
    about:
      'For how many days the deletion of an erased address waits for peers at most; until then its address stays in the log.',
  },
  ...PROCESSES,
} satisfies Record<string, Key<unknown>>;

function readServerName(reader: ConfigReader): string {
  if (reader.has(GENERAL.serverName) || givenUnder(GENERAL.serverName, reader.env)) {
    return reader.read(GENERAL.serverName);
  }
  const name = canSign(reader.hostname) ? reader.hostname : 'localhost';
  reader.warn(
    `[general] server.name is not set, or empty; using the host name ${name}, in which to sign`,
  );
  return name;
}

export function readGeneral(reader: ConfigReader): GeneralConfig {
  const name = readServerName(reader);
  const enableV1Access = reader.read(GENERAL.enableV1Access);
  const homeserverAllowList = reader.read(GENERAL.homeserverAllowList);
  if (homeserverAllowList.length > 0 && enableV1Access) {
    reader.problem(
      section,
      GENERAL.homeserverAllowList.name,
      'needs enable_v1_access = false, because API version 1 knows nothing of homeservers',
    );
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
    log: readLog(reader),
    pidFile: reader.read(GENERAL.pidFile),
    termsPath: reader.read(GENERAL.termsPath),
    addressLookupLimit: reader.read(GENERAL.addressLookupLimit),
    templatesPath: reader.read(GENERAL.templatesPath),
    defaultBrand: reader.read(GENERAL.defaultBrand),
    operator: readOperator(reader),
    prometheus: readPrometheus(reader),
    sentry: reader.read(GENERAL.sentryDsn),
    enableV1Associations: reader.read(GENERAL.enableV1Associations),
    enableV1Access,
    deleteTokensOnBind: reader.read(GENERAL.deleteTokensOnBind),
    ipBlacklist: reader.read(GENERAL.ipBlacklist),
    ipWhitelist: reader.read(GENERAL.ipWhitelist),
    homeserverAllowList,
    serverAliases: reader.read(GENERAL.serverAliases),
    dnsServers: reader.read(GENERAL.dnsServers),
    ...readNotices(reader),
    tombstoneLifetime: reader.read(GENERAL.tombstoneLifetime),
    ...readProcesses(reader),
  };
}
