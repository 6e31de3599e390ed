import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const HOUR = 60 * 60 * 1000;
const code = ({ status, json }: TestAnswer) => [status, json.errcode];

let ca: TestCa;
let homeserver: TestHomeserver;
beforeAll(async () => {
  ca = await createTestCa();
  homeserver = await startHomeserver({ ca });
});
afterAll(async () => {
  await homeserver.close();
  await ca.remove();
});

describe.each(ENGINES)('unbinding on %s', (engine) => {
  let server: TestServer;
  let number = 0;
  const ada = () => `@ada:${homeserver.serverName}`;
  const root = (version: string) =>
    `${server.url}/_matrix/identity/${version === 'v1' ? 'api/v1' : 'v2'}`;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      sections: { general: `${homeserver.reachable}server.aliases = id.alias.test` },
      trustedCa: ca.pem,
    });
  });
  afterAll(() => server.stop());

  /** An address that nobody else has, bound to Ada. */
  const bound = async (mxid = ada()) => {
    const address = `ada${++number}@sample.test`;
    await postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
      medium: 'email',
      address,
      mxid,
    });
    return address;
  };
  const userOf = async (address: string) =>
    (await get(`${root('v1')}/lookup`, { medium: 'email', address })).json.mxid;

  const session = async (email: string, validate = true) => {
    const client_secret = `secret${++number}`;
    const { sid } = (
      await postJson(`${root('v1')}/validate/email/requestToken`, {
        email,
        client_secret,
        send_attempt: 1,
      })
    ).json;
    const mail = await server.smtp.nextMail();
    const token = /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1];
    if (validate) {
      await postJson(`${root('v1')}/validate/email/submitToken`, { sid, client_secret, token });
    }
    return { sid, client_secret };
  };

  describe.each(['v1', 'v2'])('in %s', (version) => {
    const uri = version === 'v1' ? '/_matrix/identity/api/v1' : '/_matrix/identity/v2';
    const unbind = (body: unknown, authorization: readonly string[] = []) =>
      request(`${server.url}${uri}/3pid/unbind`, {
        method: 'POST',
        // Homeservers of old sent none, and it is JSON all the same.
        headers: [
          ['content-type', 'text/plain'],
          ...authorization.map((value): [string, string] => ['authorization', value]),
        ],
        body: JSON.stringify(body),
      });
    const signed = (content: object, more: object = {}) =>
      unbind(content, [homeserver.authorization({ uri: `${uri}/3pid/unbind`, content, ...more })]);
    const about = (address: string, mxid = ada()) => ({
      threepid: { medium: 'email', address },
      mxid,
    });

    test('a validated session of the address takes the binding back', async () => {
      const address = await bound();
      const proof = await session(address.toUpperCase());
      expect((await unbind({ ...about(address), ...proof })).json).toEqual({});
      expect(await userOf(address)).toBeUndefined();
    });

    test('a session that proves nothing does not', async () => {
      const address = await bound();
      const unproven = await session(address, false);
      expect(code(await unbind({ ...about(address), ...unproven }))).toEqual([
        403,
        'M_SESSION_NOT_VALIDATED',
      ]);
      const proven = await session(address);
      const wrongSecret = { ...proven, client_secret: 'other' };
      for (const unknown of [wrongSecret, { ...proven, sid: '1' }]) {
        expect(code(await unbind({ ...about(address), ...unknown }))).toEqual([
          401,
          'M_NO_VALID_SESSION',
        ]);
      }
      const other = await session('other@sample.test');
      expect(code(await unbind({ ...about(address), ...other }))).toEqual([403, 'M_FORBIDDEN']);
      server.clock.advance(24 * HOUR);
      expect(code(await unbind({ ...about(address), ...proven }))).toEqual([
        400,
        'M_SESSION_EXPIRED',
      ]);
      server.clock.advance(-24 * HOUR);
      expect(await userOf(address)).toBe(ada());
    });

    test('the user’s homeserver takes it back by its signature', async () => {
      for (const more of [{}, { destination: 'id.alias.test' }]) {
        const address = await bound();
        expect((await signed(about(address), more)).json).toEqual({});
        expect(await userOf(address)).toBeUndefined();
      }
      const upper = await bound();
      expect((await signed(about(upper.toUpperCase()))).json).toEqual({});
      expect(await userOf(upper)).toBeUndefined();
    });

    test('no signature, or one that does not fit, is refused', async () => {
      const address = await bound();
      const refused = [version === 'v1' ? 401 : 403, 'M_FORBIDDEN'];
      expect(code(await unbind(about(address)))).toEqual(refused);
      expect(code(await unbind(about(address), ['Bearer abc']))).toEqual(refused);
      const elsewhere = await signed(about(address), { destination: 'other.test' });
      expect(code(elsewhere)).toEqual(refused);
      const fitting = homeserver.authorization({
        uri: `${uri}/3pid/unbind`,
        content: about('someone@sample.test'),
      });
      expect(code(await unbind(about(address), [fitting]))).toEqual(refused);
      const key = fitting.replace(/key="[^"]*"/, 'key="ed25519:none"');
      expect(code(await unbind(about(address), [key]))).toEqual(refused);
      const badName = fitting.replace(/origin="[^"]*"/, 'origin="a b"');
      expect(code(await unbind(about(address), [badName]))).toEqual([400, 'M_INVALID_PARAM']);
      expect(await userOf(address)).toBe(ada());
    });

    test('a homeserver cannot take back what is another’s', async () => {
      const address = await bound('@ada:other.test');
      const answer = await signed(about(address, '@ada:other.test'));
      expect(code(answer)).toEqual([403, 'M_FORBIDDEN']);
      expect(await userOf(address)).toBe('@ada:other.test');
      // Bound to somebody else, there is nothing to take back.
      expect((await signed(about(address))).json).toEqual({});
      expect(await userOf(address)).toBe('@ada:other.test');
    });

    test('a homeserver that cannot be asked for its keys is no reason to forget the binding', async () => {
      const address = await bound('@ada:127.0.0.1:1');
      const authorization = homeserver
        .authorization({ uri: `${uri}/3pid/unbind`, content: about(address, '@ada:127.0.0.1:1') })
        .replace(/origin="[^"]*"/, 'origin="127.0.0.1:1"');
      const answer = await unbind(about(address, '@ada:127.0.0.1:1'), [authorization]);
      expect(code(answer)).toEqual([502, 'M_UNKNOWN']);
    });

    test('what was never bound is unbound already, whatever it is', async () => {
      for (const [medium, address] of [
        ['email', 'nobody@sample.test'],
        ['email', 'not an address'],
        ['msisdn', '447700900750'],
        ['carrier-pigeon', 'x'],
      ]) {
        const content = { threepid: { medium, address }, mxid: ada() };
        expect((await signed(content)).json).toEqual({});
      }
    });

    test('wrong types are refused', async () => {
      const right = about('ada@sample.test');
      for (const wrong of [
        { threepid: 'x' },
        { threepid: [] },
        { threepid: { medium: 'email' } },
        { threepid: { medium: 1, address: 'x' } },
        { mxid: 'ada' },
        { mxid: {} },
        { sid: {}, client_secret: 'a' },
        { sid: '1', client_secret: '!' },
      ]) {
        expect(code(await unbind({ ...right, ...wrong }))).toEqual([400, 'M_INVALID_PARAM']);
      }
      expect((await unbind({})).json.error).toBe('Missing parameters: threepid,mxid');
      expect(code(await unbind([]))).toEqual([400, 'M_BAD_JSON']);
      expect(code(await unbind(undefined))).toEqual([400, 'M_BAD_JSON']);
    });
  });
});
