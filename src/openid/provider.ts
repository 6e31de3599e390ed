import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Logger } from 'pino';
import type { AdminOidcConfig } from '../config/sections/admin.ts';
import type { Clock } from '../platform/clock.ts';
import type { OutboundAnswer, OutboundClient } from '../platform/outbound/outbound.ts';
import { UnavailableError } from '../platform/unavailable.ts';
import { kept } from './kept.ts';

type Members = Readonly<Record<string, unknown>>;

/** What is asked of the provider that vouches for operators. All throw UnavailableError while it cannot be asked. */
export interface Provider {
  /** The keys that it signs with; asked for anew where none has that id. */
  keys(keyId: string | undefined): Promise<ReturnType<typeof createLocalJWKSet>>;
  /** What it says of a token that it alone can read; undefined where it cannot be asked for that, by configuration. */
  introspect(token: string): Promise<Members | undefined>;
}

export interface ProviderDependencies {
  readonly outbound: OutboundClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Metadata {
  readonly jwksUri: string;
  readonly introspection: string | undefined;
}

const MINUTE = 60_000;
const KEEPING = { fresh: 10 * MINUTE, stale: 60 * MINUTE, pause: 15_000 };
const TIME = { answer: 5000, total: 6000 };
const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 50;

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function membersOf({ status, body }: OutboundAnswer, what: string): Members {
  if (status !== 200) throw new Error(`${what} is answered with status ${status}`);
  const value: unknown = JSON.parse(body.toString('utf8'));
  if (isMembers(value)) return value;
  throw new Error(`${what} is no JSON object`);
}

/** A URL that the provider names: as safe as its own. */
function endpointIn(metadata: Members, name: string, issuer: URL): string | undefined {
  const text = metadata[name];
  if (text === undefined) return undefined;
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.protocol === 'https:' || url.origin === issuer.origin)) return url.href;
  throw new Error(`${name} is no https URL`);
}

/** As RFC 6749 has it, section 2.3.1. */
const credentials = ({ id, secret }: { id: string; secret: string }) =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

export function createProvider(config: AdminOidcConfig, deps: ProviderDependencies): Provider {
  const { outbound, clock, logger } = deps;
  const issuer = new URL(config.issuer);
  let isAway = false;

  /** What it says of the provider is told when it changes. */
  async function telling<T>(work: () => Promise<T>): Promise<T> {
    try {
      const value = await work();
      if (isAway) logger.info({ issuer: config.issuer }, 'The OpenID provider answers again');
      isAway = false;
      return value;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!isAway) {
        logger.warn({ issuer: config.issuer, reason }, 'The OpenID provider cannot be asked');
      }
      isAway = true;
      throw error;
    }
  }

  const ask = (url: string, form?: { body: string; authorization: string }) =>
    outbound.request({
      method: form === undefined ? 'GET' : 'POST',
      url,
      headers: {
        accept: 'application/json',
        ...(form && {
          authorization: form.authorization,
          'content-type': 'application/x-www-form-urlencoded',
        }),
      },
      ...(form && { body: form.body, repeatable: true }),
      room: 'issuer',
      time: TIME,
      maxBytes: MAX_BYTES,
      // What it names elsewhere is no operator's choice.
      configured: new URL(url).origin === issuer.origin,
    });

  const metadata = kept(clock, KEEPING, () =>
    telling(async (): Promise<Metadata> => {
      const base = config.issuer.replace(/\/$/, '');
      const answer = await ask(`${base}/.well-known/openid-configuration`);
      const said = membersOf(answer, 'its configuration');
      // Else another provider could sign in its name.
      if (said['issuer'] !== config.issuer) {
        throw new Error(`it names itself ${JSON.stringify(said['issuer'])?.slice(0, 200)}`);
      }
      const jwksUri = endpointIn(said, 'jwks_uri', issuer);
      if (jwksUri === undefined) throw new Error('it names no jwks_uri');
      return { jwksUri, introspection: endpointIn(said, 'introspection_endpoint', issuer) };
    }),
  );

  const keySet = kept(clock, KEEPING, async () => {
    const { jwksUri } = await metadata();
    return telling(async () => {
      const { keys } = membersOf(await ask(jwksUri), 'its list of keys');
      const all = Array.isArray(keys) ? keys.filter(isMembers).slice(0, MAX_KEYS) : [];
      const set = { keys: all.filter(({ kty }) => kty !== 'oct') } as unknown as JSONWebKeySet;
      return { ids: new Set(set.keys.map(({ kid }) => kid)), find: createLocalJWKSet(set) };
    });
  });

  return {
    async keys(keyId) {
      const { find } = await keySet(({ ids }) => keyId === undefined || ids.has(keyId));
      return find;
    },

    async introspect(token) {
      const { client } = config;
      if (client === undefined) return undefined;
      const { introspection } = await metadata();
      if (introspection === undefined) return undefined;
      const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString();
      try {
        return await telling(async () => {
          const answer = await ask(introspection, { body, authorization: credentials(client) });
          if (answer.status === 401 || answer.status === 403) {
            throw new Error('it refused admin.oidc.client_id and admin.oidc.client_secret');
          }
          return membersOf(answer, 'introspection');
        });
      } catch (cause) {
        throw new UnavailableError('The OpenID provider cannot be asked', { cause });
      }
    },
  };
}
