import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiDescription, Operation } from '../../src/listeners/http/openapi.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { get, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const code = ({ status, json }: TestAnswer) => [status, json?.errcode];

const USER = '@ada:sample.test';
const TERMS_URL = 'https://id.test/terms.html';
const TERMS = `master_version: "1"
docs: {terms: {version: "1", langs: {en: {name: Terms, url: "${TERMS_URL}"}}}}
`;

/** An argument of each name that would do. */
const RIGHT: Readonly<Record<string, unknown>> = {
  'List-Unsubscribe': 'One-Click',
  access_token: 'opensesame',
  address: 'ada@sample.test',
  addresses: [],
  algorithm: 'sha256',
  client_secret: 'secret',
  country: 'GB',
  email: 'ada@sample.test',
  expires_in: 3600,
  matrix_server_name: '127.0.0.1:1',
  medium: 'email',
  mxid: USER,
  next_link: 'https://app.test/',
  pepper: 'pepper',
  phone_number: '07700 900750',
  private_key: 'x',
  public_key: 'x',
  room_id: '!tea:sample.test',
  send_attempt: 1,
  sender: USER,
  sid: '1',
  threepid: { medium: 'email', address: 'ada@sample.test' },
  threepids: [],
  token: 'x',
  token_type: 'Bearer',
  user_accepts: [],
};

/** What an argument of any name cannot be. */
const NEVER: readonly unknown[] = [{}, [1], [null], [{}], [['a']], true, '\0', '\ud800'];
/** What else those of some names cannot be. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  client_secret: [1, '', 'a b', 'ä', 'x'.repeat(256)],
  mxid: [1, '', 'ada', '@ada', '@:x.test', '@a b:x.test', '@ada:x/y', `@${'a'.repeat(300)}:x.test`],
  room_id: [1, '', 'tea', '#tea:sample.test', '!', `!${'ä'.repeat(128)}`],
  send_attempt: ['', 'one', '1.5', 1.5, 1e300],
  sender: [1, '', 'ada', '@ada'],
  sid: ['', 'a/b', 'x'.repeat(256)],
  threepid: ['x', 1, { medium: 'email' }, { medium: 1, address: 'x' }],
  threepids: ['x', 1, [[]], [['email']], [['email', 1]], [['email', 'a', 'b']], ['email', 'a']],
  addresses: ['x', 1],
  user_accepts: [TERMS_URL, 1],
};
/** Nobody looks at them. */
const UNUSED = new Set(['token_type', 'expires_in']);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(path.join(folder.path, 'terms.yaml'), TERMS);
});
afterAll(() => folder.remove());

interface Route {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** Names of the arguments in the query or the body. */
function argumentsOf({ operation }: Route, requiredOnly = false): string[] {
  const body = operation.requestBody?.content['application/json']?.schema;
  const inQuery = operation.parameters.filter((parameter) => parameter.in === 'query');
  const all = [...inQuery.map(({ name }) => name), ...Object.keys(body?.properties ?? {})];
  const required = new Set([
    ...inQuery.filter((parameter) => parameter.required).map(({ name }) => name),
    ...(body?.required ?? []),
  ]);
  return requiredOnly ? all.filter((name) => required.has(name) && !UNUSED.has(name)) : all;
}

describe.each(ENGINES)('of every endpoint on %s', (engine) => {
  let server: TestServer;
  let token: string;
  let unwilling: string;
  let routes: readonly Route[];
  let v2Only: TestServer;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      sections: {
        general: `terms.path = ${path.join(folder.path, 'terms.yaml')}`,
        email: 'email.ratelimit_sender.burst = 10000',
      },
    });
    v2Only = await startTestServer({ engine, sections: { general: 'enable_v1_access = false' } });
    token = await server.token(USER);
    unwilling = await server.token('@grace:sample.test');
    await request(`${server.url}/_matrix/identity/v2/terms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ user_accepts: [TERMS_URL] }),
    });
    const { json } = await get(`${server.url}/_matrix/identity/openapi.json`);
    routes = Object.entries((json as ApiDescription).paths).flatMap(([at, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path: at.replace('{keyId}', 'ed25519:0'),
        operation,
      })),
    );
  });
  afterAll(async () => {
    await server.stop();
    await v2Only.stop();
  });

  const send = (route: Route, body: string | undefined, query = '', by: string | null = token) =>
    request(`${server.url}${route.path}${query}`, {
      method: route.method,
      headers: {
        'content-type': 'application/json',
        ...(by === null ? {} : { authorization: `Bearer ${by}` }),
      },
      ...(body === undefined ? {} : { body }),
    });
  /** With those arguments, where the endpoint takes them. */
  const ask = (route: Route, args: Record<string, unknown>, by: string | null = token) =>
    route.method === 'GET'
      ? send(route, undefined, `?${new URLSearchParams(args as Record<string, string>)}`, by)
      : send(route, JSON.stringify(args), '', by);
  const right = (route: Route) =>
    Object.fromEntries(argumentsOf(route).map((name) => [name, RIGHT[name]]));
  const isPage = ({ operation }: Route) => operation.responses['200']?.content?.['text/html'];
  const refused = (route: Route, answer: TestAnswer, errcode: string) => {
    const what = `${route.method} ${route.path} ${answer.text}`;
    if (isPage(route)) expect(answer.status, what).toBe(400);
    else expect(code(answer), what).toEqual([400, errcode]);
  };

  test('there is a right value for each argument', () => {
    expect(routes.length).toBeGreaterThan(40);
    for (const route of routes) {
      for (const name of argumentsOf(route)) expect(RIGHT, name).toHaveProperty(name);
    }
  });

  test('missing arguments are named', async () => {
    for (const route of routes) {
      const required = argumentsOf(route, true);
      if (required.length === 0) continue;
      const none = await ask(route, {});
      refused(route, none, 'M_MISSING_PARAMS');
      if (!isPage(route)) {
        expect(none.json.error).toBe(`Missing parameters: ${required.join(',')}`);
      }
      for (const name of required) {
        const { [name]: _, ...others } = right(route);
        refused(route, await ask(route, others), 'M_MISSING_PARAMS');
      }
    }
  });

  test('arguments of a wrong type are refused', async () => {
    for (const route of routes) {
      for (const name of argumentsOf(route).filter((each) => !UNUSED.has(each))) {
        const wrong = [...(route.method === 'GET' ? ['\0'] : NEVER), ...(WRONG[name] ?? [])];
        for (const value of wrong) {
          if (route.method === 'GET' && typeof value !== 'string') continue;
          const answer = await ask(route, { ...right(route), [name]: value });
          if (!isPage(route)) expect(answer.text, name).toContain(name);
          refused(route, answer, 'M_INVALID_PARAM');
        }
      }
    }
  });

  test('bodies that are none are refused', async () => {
    for (const route of routes.filter(({ operation }) => operation.requestBody !== undefined)) {
      for (const body of ['', '{', '[]', '"x"', '1', 'NaN', '{"a":Infinity}', '{"a":1,}']) {
        refused(route, await send(route, body), 'M_BAD_JSON');
      }
      const large = await send(route, `{"x":"${'x'.repeat(512 * 1024)}"}`);
      expect(code(large)).toEqual([413, 'M_TOO_LARGE']);
    }
  });

  test('who has no token, or has not accepted the terms, gets nothing', async () => {
    for (const route of routes.filter(({ path: at }) => at.includes('/v2'))) {
      const { security, responses } = route.operation;
      if (security.length === 0) continue;
      for (const wrong of [null, 'nobody', 'sha256:x']) {
        expect(code(await ask(route, right(route), wrong))).toEqual([401, 'M_UNAUTHORIZED']);
      }
      const anyway = /\/(terms|logout)$/.test(route.path);
      expect(responses['403']?.description.includes('M_TERMS_NOT_SIGNED') ?? false).toBe(!anyway);
      if (anyway) continue;
      expect(code(await ask(route, right(route), unwilling))).toEqual([403, 'M_TERMS_NOT_SIGNED']);
    }
  });

  test('HEAD does nothing that GET would not, and takes no token from the query', async () => {
    for (const route of routes.filter(({ method }) => method === 'GET')) {
      const answer = await request(`${server.url}${route.path}?access_token=${token}`, {
        method: 'HEAD',
      });
      expect(answer.text).toBe('');
      if (route.operation.security.length > 0) expect(answer.status).toBe(401);
    }
  });

  test('version 2 is there without version 1', async () => {
    const { json } = await get(`${v2Only.url}/_matrix/identity/openapi.json`);
    const left = Object.keys((json as ApiDescription).paths);
    const expected = routes
      .map(({ path: at }) => at.replace('ed25519:0', '{keyId}'))
      .filter((at) => !at.includes('/api/v1') || /pubkey|sign-ed25519/.test(at));
    expect(new Set(left)).toEqual(new Set(expected));
  });
});
