import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const code = ({ status, json }: TestAnswer) => [status, json.errcode];

describe.each(ENGINES)('a server of version 2 only, on %s,', (engine) => {
  let server: TestServer;
  let token: string;
  const root = () => `${server.url}/_matrix/identity`;
  const v2 = () => `${root()}/v2`;

  beforeAll(async () => {
    server = await startTestServer({ engine, sections: { general: 'enable_v1_access = false' } });
    token = await server.token('@ada:sample.test');
  });
  afterAll(() => server.stop());

  const requestToken = (body: object) =>
    postJson(`${v2()}/validate/email/requestToken`, body, token);
  const mailedLink = async () => {
    const mail = await server.smtp.nextMail();
    return new URL(/https:\/\/\S+submitToken\S+/.exec(mail.parsed.text ?? '')?.[0] ?? '');
  };

  test('validates an address by the mailed link, and binds it to the token’s user only', async () => {
    const requested = await requestToken({
      email: 'ada@sample.test',
      client_secret: 'abcd',
      send_attempt: '1',
    });
    expect(requested.json).toEqual({ sid: expect.stringMatching(/^\d+$/) });
    const { sid } = requested.json;
    const link = await mailedLink();
    expect(link.pathname).toBe('/_matrix/identity/v2/validate/email/submitToken');
    const page = await request(server.url + link.pathname + link.search);
    expect(page.status).toBe(200);

    const query = { sid, client_secret: 'abcd' };
    expect(code(await get(`${v2()}/3pid/getValidated3pid`, query))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    const validated = await get(`${v2()}/3pid/getValidated3pid`, query, token);
    expect(validated.json).toMatchObject({ medium: 'email', address: 'ada@sample.test' });

    const bind = (mxid: string) => postJson(`${v2()}/3pid/bind`, { ...query, mxid }, token);
    expect(code(await bind('@grace:sample.test'))).toEqual([403, 'M_UNAUTHORIZED']);
    expect((await bind('@ada:sample.test')).json).toMatchObject({ mxid: '@ada:sample.test' });
  });

  test('answers a wrong token with 400', async () => {
    const { sid } = (
      await requestToken({ email: 'b@sample.test', client_secret: 'abcd', send_attempt: 1 })
    ).json;
    const submit = (body: object) =>
      postJson(`${v2()}/validate/email/submitToken`, { client_secret: 'abcd', ...body }, token);
    const wrong = await submit({ sid, token: 'wrong' });
    expect(wrong.status).toBe(400);
    expect(wrong.json).toMatchObject({ success: false, errcode: 'M_TOKEN_INCORRECT' });
    expect(code(await submit({ sid: '1', token: 'wrong' }))).toEqual([400, 'M_NO_VALID_SESSION']);
    const link = await mailedLink();
    const right = await submit({ sid, token: link.searchParams.get('token') });
    expect(right.json).toEqual({ success: true });
  });

  test('has none of version 1 but its keys', async () => {
    const v1 = `${root()}/api/v1`;
    expect(code(await get(v1))).toEqual([404, 'M_UNRECOGNIZED']);
    expect(
      code(await get(`${v1}/lookup`, { medium: 'email', address: 'ada@sample.test' })),
    ).toEqual([404, 'M_UNRECOGNIZED']);
    expect(code(await postJson(`${v1}/3pid/bind`, {}))).toEqual([404, 'M_UNRECOGNIZED']);
    expect((await get(`${v1}/pubkey/ed25519:0`)).status).toBe(200);
    expect((await get(`${v1}/pubkey/isvalid`, { public_key: 'x' })).json).toEqual({ valid: false });
    expect((await get(`${root()}/versions`)).json.versions[0]).toBe('v1.1');
  });
});

test('a server with version 1 says at its start that this needs no account', async () => {
  const warnings = (general: string) =>
    parseConfig('a.conf', `[general]\nserver.name = id.test\n${general}`, {
      env: {},
      hostname: 'id.test',
    }).warnings.filter((warning) => warning.includes('needs no account'));
  expect(warnings('')).toHaveLength(1);
  expect(warnings('enable_v1_access = false')).toEqual([]);
});
