import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import Provider from 'oidc-provider';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { adminClient, WITH_ADMIN } from '../support/admin.ts';
import type { TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startSilentServer } from '../support/silent.ts';

const AUDIENCE = 'https://id.test/admin';
const code = ({ status, json }: TestAnswer) => [status, json?.errcode];

async function listen(handler: RequestListener): Promise<{ server: Server; issuer: string }> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const config = (issuer: string, more = '') =>
  `${WITH_ADMIN}\nadmin.oidc.issuer = ${issuer}\nadmin.oidc.audience = ${AUDIENCE}\n${more}`;
const CLIENT = 'admin.oidc.client_id = cognomen\nadmin.oidc.client_secret = a secret: 100%%';

describe.each(['jwt', 'opaque'] as const)('with tokens (%s) of a real provider', (format) => {
  let provider: Awaited<ReturnType<typeof listen>>;
  let server: TestServer;

  beforeAll(async () => {
    let handle: RequestListener = () => {};
    provider = await listen((request, response) => handle(request, response));
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const oidc = new Provider(provider.issuer, {
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'ES256', use: 'sig' }] },
      scopes: ['cognomen:viewer', 'cognomen:operator', 'other'],
      clientDefaults: { id_token_signed_response_alg: 'ES256' },
      clients: [
        {
          client_id: 'tool',
          client_secret: 'tool',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
        {
          client_id: 'cognomen',
          client_secret: 'a secret: 100%',
          grant_types: [],
          redirect_uris: [],
          response_types: [],
        },
      ],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: async () => true },
        revocation: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: async (_context: unknown, resource: string) => ({
            scope: 'cognomen:viewer cognomen:operator other',
            audience: resource,
            accessTokenFormat: format,
            accessTokenTTL: 600,
            ...(format === 'jwt' && { jwt: { sign: { alg: 'ES256' } } }),
          }),
        },
      },
    });
    handle = oidc.callback();
    server = await startTestServer({
      now: Date.now(),
      sections: { admin: config(provider.issuer, CLIENT) },
    });
  });
  afterAll(async () => {
    await server.stop();
    provider.server.close();
  });

  const ofProvider = async (path: string, form: Record<string, string>) =>
    fetch(`${provider.issuer}${path}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from('tool:tool').toString('base64')}` },
      body: new URLSearchParams(form),
    });
  async function token(scope: string, resource = AUDIENCE): Promise<string> {
    const grant = { grant_type: 'client_credentials', scope, resource };
    const answer = await ofProvider('/token', grant);
    const { access_token: issued } = (await answer.json()) as { access_token: string };
    expect(issued).toEqual(expect.any(String));
    return issued;
  }

  test('the scope gives the role', async () => {
    const viewer = adminClient(server, await token('cognomen:viewer'));
    expect((await viewer.get('stats')).status).toBe(200);
    expect(code(await viewer.get('audit/list'))).toEqual([403, 'M_FORBIDDEN']);
    const operator = adminClient(server, await token('cognomen:viewer cognomen:operator'));
    const { json } = await operator.get('audit/list');
    expect(json.items).toMatchObject([
      { action: 'audit list', outcome: 'refused' },
      { action: 'audit list', who: expect.stringMatching(/^openid (client )?tool$/) },
    ]);
  });

  const revoking = async () => {
    const bearer = await token('cognomen:viewer');
    const client = adminClient(server, bearer);
    expect((await client.get('stats')).status).toBe(200);
    await ofProvider('/token/revocation', { token: bearer });
    expect(code(await client.get('stats'))).toEqual([401, 'M_UNAUTHORIZED']);
    expect(server.logs.join('')).not.toContain(bearer);
    expect(server.logs.join('')).not.toContain('a secret');
  };
  // What is in a JWT stays so until it ends.
  if (format === 'opaque') test('one that is revoked there is let in no more', revoking);

  test('others are not let in: no role, another audience, one that ended', async () => {
    const ask = async (bearer: string) => code(await adminClient(server, bearer).get('stats'));
    expect(await ask(await token('other'))).toEqual([401, 'M_UNAUTHORIZED']);
    const elsewhere = await token('cognomen:operator', 'https://elsewhere.test/');
    expect(await ask(elsewhere)).toEqual([401, 'M_UNAUTHORIZED']);
    const good = await token('cognomen:operator');
    expect(await ask(good)).toEqual([200, undefined]);
    server.clock.advance(700_000);
    expect(await ask(good)).toEqual([401, 'M_UNAUTHORIZED']);
  });
});

describe('a provider', () => {
  let open: { server: Server; issuer: string };
  let server: TestServer;
  /** What it answers, by path. */
  let answers: Record<string, unknown>;
  let asked: string[];
  let key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  let jwk: JWK;

  beforeAll(async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    key = pair.privateKey;
    jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    open = await listen(async (request, response) => {
      asked.push(request.url ?? '');
      const answer = answers[request.url ?? ''];
      response.statusCode = answer === undefined ? 404 : 200;
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  });
  afterAll(() => open.server.close());
  afterEach(() => server.stop());

  async function start(more: Record<string, unknown> = {}, lines = ''): Promise<void> {
    asked = [];
    answers = {
      '/.well-known/openid-configuration': {
        issuer: open.issuer,
        jwks_uri: `${open.issuer}/keys`,
        introspection_endpoint: `${open.issuer}/introspect`,
      },
      '/keys': { keys: [jwk] },
      ...more,
    };
    server = await startTestServer({
      now: Date.now(),
      sections: { admin: config(open.issuer, lines) },
    });
  }

  const now = () => Math.floor(Date.now() / 1000);
  const CLAIMS: JWTPayload = { scope: 'cognomen:viewer', aud: AUDIENCE, sub: 'ada' };
  const signed = (claims: JWTPayload = {}, header: Record<string, unknown> = {}, by = key) =>
    new SignJWT({ iss: open.issuer, iat: now(), exp: now() + 300, ...CLAIMS, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'at+jwt', ...header })
      .sign(by);
  const ask = async (bearer: string) => code(await adminClient(server, bearer).get('stats'));

  test('is believed in what it signs for this server, and nothing else', async () => {
    await start();
    const { privateKey: foreign } = await generateKeyPair('RS256');
    const hmac = new TextEncoder().encode(JSON.stringify(jwk));
    expect(await ask(await signed())).toEqual([200, undefined]);
    expect(await ask(await signed({}, { typ: 'JWT' }))).toEqual([200, undefined]);
    expect(await ask(await signed({ aud: ['https://other.test', AUDIENCE] }))).toEqual([
      200,
      undefined,
    ]);
    const good = await signed();
    const wrong = {
      'of another issuer': await signed({ iss: 'https://other.test' }),
      'without an issuer': await signed({ iss: undefined } as never),
      'for another service': await signed({ aud: 'https://other.test' }),
      'for nobody': await signed({ aud: undefined } as never),
      ended: await signed({ exp: now() - 60 }),
      'without an end': await signed({ exp: undefined } as never),
      'not valid yet': await signed({ nbf: now() + 600 }),
      'without a subject': await signed({ sub: undefined } as never),
      'without a role': await signed({ scope: 'openid' }),
      'an ID token': await signed({ scope: undefined, nonce: 'x' } as never, { typ: 'JWT' }),
      'a logout token': await signed({}, { typ: 'logout+jwt' }),
      'signed by somebody else': await signed({}, {}, foreign),
      'signed with the public key as a secret': await new SignJWT({ ...CLAIMS, iss: open.issuer })
        .setExpirationTime('5m')
        .setProtectedHeader({ alg: 'HS256', kid: 'one', typ: 'at+jwt' })
        .sign(hmac),
      'not signed': new UnsecuredJWT({ ...CLAIMS, iss: open.issuer })
        .setExpirationTime('5m')
        .encode(),
      'signed, with another text': `${good.split('.')[0]}.${Buffer.from(JSON.stringify({ ...CLAIMS, scope: 'cognomen:operator', iss: open.issuer, exp: now() + 300 })).toString('base64url')}.${good.split('.')[2]}`,
      'no token': 'a.b.c',
      'a critical header that nobody knows': await signed({}, { crit: ['x'], x: 1 }).catch(
        () => 'e30.e30.x',
      ),
    };
    for (const [what, bearer] of Object.entries(wrong)) {
      expect([what, ...(await ask(bearer))]).toEqual([what, 401, 'M_UNAUTHORIZED']);
    }
    expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('may put the role anywhere', async () => {
    await start(
      {},
      'admin.oidc.role_claim = realm_access.roles\nadmin.oidc.operator_values = admins, ops\nadmin.oidc.viewer_values =',
    );
    const roles = (...list: unknown[]) => signed({ realm_access: { roles: list } });
    expect(await ask(await roles('staff', 'ops'))).toEqual([200, undefined]);
    expect(await ask(await roles('staff'))).toEqual([401, 'M_UNAUTHORIZED']);
    expect(await ask(await signed({ 'realm_access.roles': 'admins' }))).toEqual([200, undefined]);
    expect(await ask(await signed({ realm_access: null }))).toEqual([401, 'M_UNAUTHORIZED']);
    expect(await ask(await signed())).toEqual([401, 'M_UNAUTHORIZED']);
  });

  test('may change its keys, and is not asked more often than it should be', async () => {
    await start();
    expect(await ask(await signed())).toEqual([200, undefined]);
    const pair = await generateKeyPair('ES256', { extractable: true });
    answers['/keys'] = {
      keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'two', alg: 'ES256', use: 'sig' }],
    };
    const next = await signed({}, { alg: 'ES256', kid: 'two' }, pair.privateKey);
    for (let tries = 0; tries < 5; tries++) {
      expect(await ask(next)).toEqual([401, 'M_UNAUTHORIZED']);
    }
    expect(asked.filter((path) => path === '/keys')).toHaveLength(1);
    server.clock.advance(20_000);
    expect(await ask(next)).toEqual([200, undefined]);
    expect(await ask(await signed())).toEqual([401, 'M_UNAUTHORIZED']);
    expect(asked.filter((path) => path === '/keys')).toHaveLength(2);
    // While it is away its keys serve for an hour.
    answers = {};
    server.clock.advance(50 * 60_000);
    const late = { iat: now() + 3000, exp: now() + 9000 };
    const later = await signed(late, { alg: 'ES256', kid: 'two' }, pair.privateKey);
    expect(await ask(later)).toEqual([200, undefined]);
    server.clock.advance(20 * 60_000);
    expect(await ask(later)).toEqual([503, 'M_UNKNOWN']);
    const told = server.logs.filter((line) => line.includes('OpenID provider cannot be asked'));
    expect(told).toHaveLength(1);
  });

  test.each([
    ['names itself another', { issuer: 'https://other.test' }],
    ['names no keys', { jwks_uri: undefined }],
    ['names keys in the clear elsewhere', { jwks_uri: 'http://other.test/keys' }],
    ['names keys inside the network', { jwks_uri: 'https://127.0.0.1:1/keys' }],
    ['names nonsense', { jwks_uri: 7 }],
  ])('that %s is not believed', async (_what, change) => {
    await start();
    const path = '/.well-known/openid-configuration';
    answers[path] = { ...(answers[path] as object), ...change };
    expect(await ask(await signed())).toEqual([503, 'M_UNKNOWN']);
  });

  test.each([
    ['no JSON', '<html>'],
    ['no list', '{"keys":7}'],
    ['a list without end', `{"keys":[${'{},'.repeat(200_000)}{}]}`],
    ['a secret', JSON.stringify({ keys: [{ kty: 'oct', kid: 'one', k: 'AAAA' }] })],
    ['null', 'null'],
  ])('whose keys are %s lets nobody in', async (_what, keys) => {
    await start({ '/keys': keys });
    expect([401, 503]).toContain((await ask(await signed()))[0]);
  });

  test.each([
    ['is no answer', undefined, 503],
    ['is of a token that is none', { active: false }, 401],
    ['says so in a text', { active: 'true', scope: 'cognomen:viewer', sub: 'ada' }, 401],
    ['has no audience, but the scope', { active: true, scope: 'cognomen:viewer', sub: 'ada' }, 200],
    ['is for others', { active: true, scope: 'cognomen:viewer', sub: 'a', aud: ['x'] }, 401],
    [
      'is of others',
      { active: true, scope: 'cognomen:viewer', sub: 'a', iss: 'https://x.test' },
      401,
    ],
    ['has ended', { active: true, scope: 'cognomen:viewer', sub: 'a', exp: 1000 }, 401],
    ['has no subject', { active: true, scope: 'cognomen:viewer' }, 401],
    [
      'is bound to a key',
      { active: true, scope: 'cognomen:viewer', sub: 'a', token_type: 'DPoP' },
      401,
    ],
  ])('whose word on a token %s', async (_what, answer, status) => {
    await start(answer === undefined ? {} : { '/introspect': answer }, CLIENT);
    expect((await ask('mat_something'))[0]).toBe(status);
  });

  test('is not asked about what is no token, nor without a client', async () => {
    await start({ '/introspect': { active: true, scope: 'cognomen:viewer', sub: 'a' } });
    expect(await ask('mat_something')).toEqual([401, 'M_UNAUTHORIZED']);
    expect(await ask('"quoted"')).toEqual([401, 'M_UNAUTHORIZED']);
    expect(asked).toEqual([]);
  });

  test('that takes its time holds up nobody else for long', async () => {
    await start();
    const silent = await startSilentServer();
    const slow = await startTestServer({
      now: Date.now(),
      sections: { admin: config(`http://127.0.0.1:${silent.port}`) },
    });
    const begun = performance.now();
    const bearer = await signed();
    const all = await Promise.all(
      Array.from({ length: 20 }, () => adminClient(slow, bearer).get('stats')),
    );
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 503));
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(silent.connections).toBe(1);
    // Then nobody waits for it.
    expect((await adminClient(slow, bearer).get('stats')).status).toBe(503);
    expect(silent.connections).toBe(1);
    await slow.stop();
    await silent.close();
  });
});
