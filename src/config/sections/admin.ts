import { isLoopback } from '../../platform/ip-addresses.ts';
import { days, httpUrl, InvalidValueError, type Key, list, port, text } from '../keys.ts';
import type { Listener } from '../listener.ts';
import type { ConfigReader } from '../reader.ts';

/** The provider of OpenID Connect that vouches for operators. */
export interface AdminOidcConfig {
  readonly issuer: string;
  /** What tokens must be meant for. */
  readonly audience: string;
  /** The claim that gives the role. */
  readonly roleClaim: string;
  /** Values of the claim. */
  readonly viewerValues: readonly string[];
  readonly operatorValues: readonly string[];
  /** By which this server asks about tokens that only the provider can read; undefined: those are not taken. */
  readonly client: { readonly id: string; readonly secret: string } | undefined;
  /** As which public client the console signs in; undefined: by a token only. */
  readonly consoleClientId: string | undefined;
}

export interface AdminConfig {
  /** Undefined: there is no admin API. */
  readonly listener: Listener | undefined;
  readonly oidc: AdminOidcConfig | undefined;
  /** Milliseconds for which the trail is kept. */
  readonly auditKept: number;
}

const section = 'admin';

/** A trail that is not kept is none. */
function daysFrom1(value: string): number {
  const kept = days(value);
  if (kept >= days('1')) return kept;
  throw new InvalidValueError('a number of days from 1 to 36500');
}

/** https, or http on this machine alone. */
function issuer(value: string): string {
  const url = httpUrl(value);
  if (url === '') return '';
  const { protocol, hostname, search } = new URL(url);
  const isSafe = protocol === 'https:' || isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));
  if (isSafe && search === '') return url;
  throw new InvalidValueError('an https:// URL without query, as the provider names itself');
}

/** Keys of `[admin]`. */
export const ADMIN = {
  address: {
    section,
    name: 'admin.http.bind_address',
    default: '127.0.0.1',
    parse: text,
    own: true,
    about: 'The address of the admin API.',
  },
  port: {
    section,
    name: 'admin.http.port',
    default: '',
    parse: (value: string) => (value === '' ? undefined : port(value)),
    own: true,
    about: 'The port of the admin API. Empty: there is none.',
  },
  issuer: {
    section,
    name: 'admin.oidc.issuer',
    default: '',
    parse: issuer,
    own: true,
    about:
      'The provider of OpenID Connect whose access tokens the admin API takes, as it names itself: https://auth.example.org/. Empty: only tokens made by cognomen admin-token create.',
  },
  audience: {
    section,
    name: 'admin.oidc.audience',
    default: '',
    parse: text,
    own: true,
    about: 'What an access token must be meant for: its claim aud. Needed with admin.oidc.issuer.',
  },
  roleClaim: {
    section,
    name: 'admin.oidc.role_claim',
    default: 'scope',
    parse: text,
    own: true,
    about:
      'The claim of the access token that gives the role: a list, or words with spaces between them. Dots lead into it: realm_access.roles.',
  },
  viewerValues: {
    section,
    name: 'admin.oidc.viewer_values',
    default: 'cognomen:viewer',
    parse: list,
    own: true,
    about: 'Values of that claim, between commas, whose holders may look.',
  },
  operatorValues: {
    section,
    name: 'admin.oidc.operator_values',
    default: 'cognomen:operator',
    parse: list,
    own: true,
    about: 'Values of that claim, between commas, whose holders may do all.',
  },
  clientId: {
    section,
    name: 'admin.oidc.client_id',
    default: '',
    parse: text,
    own: true,
    about:
      'As which client this server asks the provider about tokens that are no JWT (introspection, RFC 7662). Empty: it takes only JWTs.',
  },
  clientSecret: {
    section,
    name: 'admin.oidc.client_secret',
    default: '',
    parse: text,
    secret: true,
    own: true,
    about: 'The secret of that client.',
  },
  consoleClientId: {
    section,
    name: 'admin.oidc.console_client_id',
    default: '',
    parse: text,
    own: true,
    about:
      'As which client of the provider the console signs operators in: a public one (authorization code with PKCE), whose redirect URI is where the console is. Empty: the console takes tokens only.',
  },
  auditKept: {
    section,
    name: 'audit.kept_days',
    default: '365',
    parse: daysFrom1,
    own: true,
    about: 'For how many days it is kept who changed what, and who looked at whom.',
  },
} satisfies Record<string, Key<unknown>>;

function readOidc(reader: ConfigReader): AdminOidcConfig | undefined {
  const [id, secret] = [reader.read(ADMIN.clientId), reader.read(ADMIN.clientSecret)];
  const oidc = {
    issuer: reader.read(ADMIN.issuer),
    audience: reader.read(ADMIN.audience),
    roleClaim: reader.read(ADMIN.roleClaim),
    viewerValues: reader.read(ADMIN.viewerValues),
    operatorValues: reader.read(ADMIN.operatorValues),
    client: id === '' ? undefined : { id, secret },
    consoleClientId: reader.read(ADMIN.consoleClientId) || undefined,
  };
  if (oidc.issuer === '') return undefined;
  if (oidc.audience === '') {
    reader.problem(
      section,
      ADMIN.audience.name,
      'it is needed with admin.oidc.issuer, or tokens for other services would be taken, too',
    );
  }
  if (id !== '' && secret === '') {
    reader.problem(section, ADMIN.clientSecret.name, 'it is needed with admin.oidc.client_id');
  }
  return oidc;
}

export function readAdmin(reader: ConfigReader): AdminConfig {
  const address = reader.read(ADMIN.address);
  const listenPort = reader.read(ADMIN.port);
  const oidc = readOidc(reader);
  if (listenPort !== undefined && !isLoopback(address)) {
    reader.warn(
      `[admin] admin.http.bind_address is ${address}: the admin API is not for this machine alone, and speaks no TLS; put a proxy that does in front of it`,
    );
  }
  return {
    listener: listenPort === undefined ? undefined : { address, port: listenPort },
    oidc,
    auditKept: reader.read(ADMIN.auditKept),
  };
}
