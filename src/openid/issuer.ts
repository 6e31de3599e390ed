import { decodeProtectedHeader, errors, type JWTHeaderParameters, jwtVerify } from 'jose';
import type { AdminOidcConfig } from '../config/sections/admin.ts';
import type { Issuer, Operator } from '../identity/operators/operator.ts';
import { createProvider, type Provider, type ProviderDependencies } from './provider.ts';

type Claims = Readonly<Record<string, unknown>>;

/** None by a secret that both sides know, and not `none`. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** Seconds by which clocks differ. */
const TOLERANCE = 30;
const LONGEST_NAME = 255;
const JWT = /^[\w-]{2,}\.[\w-]{2,}\.[\w-]*$/;
/** RFC 6750, section 2.1. */
const OPAQUE = /^[A-Za-z0-9._~+/-]+={0,2}$/;

/** The claim of that name, or where there is none, what the dots in it lead to. */
function claimIn(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const name of path.split('.')) {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
    if (!isThere) return undefined;
    value = (value as Claims)[name];
  }
  return value;
}

function wordsOf(claim: unknown): readonly unknown[] {
  if (typeof claim === 'string') return claim.split(/\s+/);
  return Array.isArray(claim) ? claim : [];
}

function roleIn(claims: Claims, config: AdminOidcConfig): Operator['role'] | undefined {
  const words = wordsOf(claimIn(claims, config.roleClaim));
  const hasOneOf = (values: readonly string[]) => values.some((value) => words.includes(value));
  if (hasOneOf(config.operatorValues)) return 'operator';
  return hasOneOf(config.viewerValues) ? 'viewer' : undefined;
}

/**
 * Whether it is an access token: by its type (RFC 9068), or because it has scopes, as those of older providers have. An ID
 * token, which tells a client who its user is, opens nothing.
 */
function isAccessToken({ typ }: JWTHeaderParameters, claims: Claims): boolean {
  const type = typ?.toLowerCase().replace(/^application\//, '');
  if (type === 'at+jwt') return true;
  if (type !== undefined && type !== 'jwt') return false;
  return typeof claims['scope'] === 'string' && claims['typ'] !== 'ID';
}

/** Who it is, as the provider knows them: a user, or a program that acts for nobody. */
function nameIn({ sub, client_id: client }: Claims): string | undefined {
  const isName = (text: unknown) =>
    typeof text === 'string' && text !== '' && text.length <= LONGEST_NAME;
  if (sub !== undefined) return isName(sub) ? `openid ${sub}` : undefined;
  return isName(client) ? `openid client ${client}` : undefined;
}

function headerOf(token: string): JWTHeaderParameters | undefined {
  try {
    return decodeProtectedHeader(token) as JWTHeaderParameters;
  } catch {
    return undefined;
  }
}

async function verified(
  token: string,
  provider: Provider,
  config: AdminOidcConfig,
  now: number,
): Promise<Claims | undefined> {
  const header = headerOf(token);
  if (header === undefined || !ALGORITHMS.includes(header.alg)) return undefined;
  const keys = await provider.keys(header.kid);
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: config.issuer,
      audience: config.audience,
      algorithms: ALGORITHMS,
      clockTolerance: TOLERANCE,
      currentDate: new Date(now),
      requiredClaims: ['exp', 'sub'],
    });
    return isAccessToken(protectedHeader, payload) ? payload : undefined;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** What the provider says of a token, where that is for this server, and now. */
function inForce(claims: Claims, { issuer, audience, roleClaim }: AdminOidcConfig, now: number) {
  const { active, iss, aud, exp, nbf, token_type: type } = claims;
  const isNow =
    (exp === undefined || (typeof exp === 'number' && exp * 1000 > now)) &&
    (nbf === undefined || (typeof nbf === 'number' && nbf * 1000 <= now + TOLERANCE * 1000));
  // Where nothing says whom it is for, its scopes do: the user has granted them for this.
  const isForUs = aud === undefined ? roleClaim === 'scope' : [aud].flat().includes(audience);
  const isBearer = type === undefined || String(type).toLowerCase() === 'bearer';
  return active === true && (iss === undefined || iss === issuer) && isNow && isForUs && isBearer;
}

/** The provider of OpenID Connect that vouches for operators, by its access tokens: JWTs, or others that it is asked about. */
export function createIssuer(config: AdminOidcConfig, deps: ProviderDependencies): Issuer {
  const provider = createProvider(config, deps);

  async function claimsOf(token: string): Promise<Claims | undefined> {
    const now = deps.clock.now();
    if (JWT.test(token)) return verified(token, provider, config, now);
    if (!OPAQUE.test(token)) return undefined;
    const claims = await provider.introspect(token);
    return claims !== undefined && inForce(claims, config, now) ? claims : undefined;
  }

  return {
    async operatorOf(token) {
      const claims = await claimsOf(token);
      const role = claims && roleIn(claims, config);
      const who = claims && nameIn(claims);
      return role === undefined || who === undefined ? undefined : { role, who };
    },
  };
}
