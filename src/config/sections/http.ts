import { isLoopback } from '../../platform/ip-addresses.ts';
import {
  baseUrl,
  boolean,
  InvalidValueError,
  type Key,
  list,
  port,
  text,
  type Warn,
} from '../keys.ts';
import type { Listener } from '../listener.ts';
import { networks } from '../networks.ts';
import type { ConfigReader } from '../reader.ts';
import {
  REPLICATION,
  type ReplicationListenerConfig,
  readReplication,
} from './replication-listener.ts';

export interface InternalListenerConfig extends Listener {
  /** What requests have to show; undefined: nothing. */
  readonly token: string | undefined;
}

export interface HttpConfig {
  readonly clientApi: Listener;
  readonly internalApi: InternalListenerConfig | undefined;
  readonly replication: ReplicationListenerConfig | undefined;
  readonly obeyXForwardedFor: boolean;
  /** Addresses and CIDRs; empty: any proxy is believed. */
  readonly trustedProxies: readonly string[];
  readonly federationVerifyCerts: boolean;
  /** Whether a GET may carry its access token in the query string. */
  readonly queryAccessTokens: boolean;
  /** Deprecated single template file; empty: none. */
  readonly verifyResponseTemplate: string;
  /** Public base URL for links, without a slash at the end. Never empty: `https://` and server.name stand in. */
  readonly clientHttpBase: string;
  /** That, where it is set; undefined where it is guessed. */
  readonly publicUrl: string | undefined;
  /** Schemes beside `http` and `https` that a `next_link` may have; lower case, without colon. */
  readonly nextLinkSchemes: readonly string[];
  /** Whether the page of a mailed link asks for a click before it validates. */
  readonly pageAsksFirst: boolean;
  /** Content-Security-Policy of pages made from operators' templates. */
  readonly pageContentSecurityPolicy: string;
}

const section = 'http';

const NEVER_REDIRECTED_TO = ['javascript', 'data', 'file', 'vbscript', 'blob', 'about'];

function schemes(value: string): string[] {
  return list(value.toLowerCase()).map((scheme) => {
    if (/^[a-z][a-z0-9+.-]*$/.test(scheme) && !NEVER_REDIRECTED_TO.includes(scheme)) return scheme;
    throw new InvalidValueError(
      `schemes without colon between commas, none of ${NEVER_REDIRECTED_TO.join(', ')}`,
    );
  });
}

/** A bearer token as headers can hold it. */
function token(value: string, warn: Warn): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(value)) {
    throw new InvalidValueError('letters, digits and other characters of ASCII, without spaces');
  }
  if (value !== '' && value.length < 20) {
    warn('that it can be guessed; take 20 random characters or more');
  }
  return value || undefined;
}

export const HTTP = {
  clientAddress: {
    section,
    name: 'clientapi.http.bind_address',
    default: '::',
    parse: text,
    about: 'The address of the client API; :: is every address, IPv4 too.',
  },
  clientPort: {
    section,
    name: 'clientapi.http.port',
    default: '8090',
    parse: port,
    about: 'The port of the client API. 0: any that is free.',
  },
  internalAddress: {
    section,
    name: 'internalapi.http.bind_address',
    default: '::1',
    parse: text,
    emptyCounts: true,
    about:
      'The address of the internal API. Empty: every address, as with Sydent. Whoever reaches it can bind any address to any user.',
  },
  internalPort: {
    section,
    name: 'internalapi.http.port',
    default: '',
    parse: (value: string) => (value === '' ? undefined : port(value)),
    about: 'The port of the internal API. Empty: there is none.',
  },
  internalToken: {
    section,
    name: 'internalapi.token',
    default: '',
    parse: token,
    secret: true,
    own: true,
    about:
      'A secret that every request to the internal API has to show, as Authorization: Bearer. Empty: none; whoever reaches it may use it.',
  },
  ...REPLICATION,
  obeyXForwardedFor: {
    section,
    name: 'obey_x_forwarded_for',
    default: 'False',
    parse: boolean,
    about:
      'Whether the client’s address is taken from X-Forwarded-For. Only right behind a proxy that sets it.',
  },
  trustedProxies: {
    section,
    name: 'trusted_proxies',
    default: '',
    parse: networks,
    own: true,
    about:
      'Addresses and CIDRs of the proxies in front of this server, between commas. X-Forwarded-For is then believed only from them, and the client is its right-most entry that is none of theirs. Empty: the right-most public entry is, from a loopback or private address.',
  },
  federationVerifyCerts: {
    section,
    name: 'federation.verifycerts',
    default: 'True',
    parse: boolean,
    about: 'Whether homeservers must have a valid certificate.',
  },
  queryAccessTokens: {
    section,
    name: 'access_token.in_query',
    default: 'true',
    parse: boolean,
    own: true,
    about:
      'Whether a GET may carry its access token in the query string, as Synapse does for hash_details.',
  },
  verifyResponseTemplate: {
    section,
    name: 'verify_response_template',
    default: undefined,
    parse: text,
    deprecated: true,
    about:
      'One file for the page after validation, whatever the brand. Better: a brand’s verify_response_template.html.',
  },
  clientHttpBase: {
    section,
    name: 'client_http_base',
    default: '',
    defaultNote: '`https://` and server.name, with a warning',
    parse: baseUrl,
    about: 'The public URL of the client API, for links in mails: what stands before /_matrix.',
  },
  nextLinkSchemes: {
    section,
    name: 'next_link.schemes',
    default: '',
    parse: schemes,
    own: true,
    about:
      'Schemes, beside http and https, that a browser may be sent to after validation, between commas: those of apps, such as element.',
  },
  pageAsksFirst: {
    section,
    name: 'page.ask_before_validation',
    default: 'false',
    firstStart: 'true',
    parse: boolean,
    own: true,
    about:
      'Whether the link in a message opens a page with a button, and only that proves the address: some mail systems follow every link they see. A brand’s own page for it is confirm_template.html, with %(message)s and %(action)s.',
  },
  pagePolicy: {
    section,
    name: 'page.content_security_policy',
    default:
      "default-src 'none'; style-src 'unsafe-inline'; img-src * data:; font-src * data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    parse: (value: string) => {
      if (/^[\x20-\x7e]+$/.test(value)) return value;
      throw new InvalidValueError('a Content-Security-Policy on one line');
    },
    own: true,
    about:
      'The Content-Security-Policy of pages made from your own templates. The built-in pages have a stricter one.',
  },
} satisfies Record<string, Key<unknown>>;

function readForwarding(
  reader: ConfigReader,
): Pick<HttpConfig, 'obeyXForwardedFor' | 'trustedProxies'> {
  const obeyXForwardedFor = reader.read(HTTP.obeyXForwardedFor);
  const trustedProxies = reader.read(HTTP.trustedProxies);
  if (obeyXForwardedFor && trustedProxies.length === 0) {
    reader.warn(
      '[http] obey_x_forwarded_for without trusted_proxies: the client is the right-most public address of X-Forwarded-For, from proxies with a loopback or private address; limits by client network do not apply to what other proxies send',
    );
  }
  if (!obeyXForwardedFor && trustedProxies.length > 0) {
    reader.warn('[http] trusted_proxies means nothing without obey_x_forwarded_for = true');
  }
  if (!obeyXForwardedFor && isLoopback(reader.read(HTTP.clientAddress))) {
    reader.warn(
      '[http] clientapi.http.bind_address is a loopback address and obey_x_forwarded_for is off: a proxy in front hides its clients, and limits by client network do not apply',
    );
  }
  return { obeyXForwardedFor, trustedProxies };
}

function readInternalApi(reader: ConfigReader): InternalListenerConfig | undefined {
  const internalPort = reader.read(HTTP.internalPort);
  const address = reader.read(HTTP.internalAddress);
  const secret = reader.read(HTTP.internalToken);
  if (internalPort === undefined) return undefined;
  if (secret === undefined && !isLoopback(address)) {
    const where = address === '' ? 'empty' : address;
    const open = address === '' ? 'open at every address' : 'not for this machine alone';
    reader.warn(
      `[http] internalapi.http.bind_address is ${where}: the internal API is ${open}, and whoever reaches it can bind anything; set internalapi.token`,
    );
  }
  return { address: address || '::', port: internalPort, token: secret };
}

export function readHttp(reader: ConfigReader, serverName: string): HttpConfig {
  const clientHttpBase = reader.read(HTTP.clientHttpBase);
  if (clientHttpBase === '') {
    reader.warn(
      `[http] client_http_base is not set; links in mails will begin with https://${serverName}`,
    );
  }
  return {
    clientApi: { address: reader.read(HTTP.clientAddress), port: reader.read(HTTP.clientPort) },
    internalApi: readInternalApi(reader),
    replication: readReplication(reader),
    ...readForwarding(reader),
    federationVerifyCerts: reader.read(HTTP.federationVerifyCerts),
    queryAccessTokens: reader.read(HTTP.queryAccessTokens),
    verifyResponseTemplate: reader.read(HTTP.verifyResponseTemplate),
    clientHttpBase: clientHttpBase || `https://${serverName}`,
    publicUrl: clientHttpBase || undefined,
    nextLinkSchemes: reader.read(HTTP.nextLinkSchemes),
    pageAsksFirst: reader.read(HTTP.pageAsksFirst),
    pageContentSecurityPolicy: reader.read(HTTP.pagePolicy),
  };
}
