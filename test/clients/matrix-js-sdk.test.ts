import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createClient, type MatrixClient, SERVICE_TYPES } from 'matrix-js-sdk';
import type { Logger } from 'matrix-js-sdk/lib/logger.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { postJson, request } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startWebhook, type TestProvider } from '../support/sms.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const nothing = () => {};
const SILENT: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  getChild: () => SILENT,
};

const TERMS_URL = 'https://id.test/terms-en.html';
const TERMS = `master_version: "1"
docs:
  terms:
    version: "1"
    langs:
      en: {name: Terms, url: "${TERMS_URL}"}
`;

describe.each(['report', 'true'])('matrix-js-sdk, with limits.enforce = %s,', (enforce) => {
  let ca: TestCa;
  let homeserver: TestHomeserver;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let provider: TestProvider;
  let server: TestServer;
  let client: MatrixClient;
  let token: string;

  beforeAll(async () => {
    ca = await createTestCa();
    homeserver = await startHomeserver({ ca });
    homeserver.openIdTokens.set('opensesame', `@ada:${homeserver.serverName}`);
    folder = await temporaryFolder();
    const terms = path.join(folder.path, 'terms.yaml');
    await writeFile(terms, TERMS);
    provider = await startWebhook();
    server = await startTestServer({
      sections: {
        sms: provider.config,
        general: `${homeserver.reachable}terms.path = ${terms}\nenable_v1_access = false\nlimits.enforce = ${enforce}`,
      },
      trustedCa: ca.pem,
    });
    client = createClient({
      baseUrl: `https://${homeserver.serverName}`,
      idBaseUrl: server.url,
      userId: `@ada:${homeserver.serverName}`,
      accessToken: 'unused',
      logger: SILENT,
    });
  });
  afterAll(async () => {
    client.stopClient();
    await server.stop();
    await provider.close();
    await folder.remove();
    await homeserver.close();
    await ca.remove();
  });

  test('it registers with the OpenID object as the homeserver gave it', async () => {
    const registered = await client.registerWithIdentityServer({
      access_token: 'opensesame',
      token_type: 'Bearer',
      matrix_server_name: homeserver.serverName,
      expires_in: 3600,
    });
    token = registered.token;
    expect(token).toMatch(/^[A-Za-z0-9]{64}$/);
  });

  test('it learns that there are terms, and accepts them', async () => {
    await expect(client.getIdentityAccount(token)).rejects.toMatchObject({
      errcode: 'M_TERMS_NOT_SIGNED',
      httpStatus: 403,
    });
    const { policies } = await client.getTerms(SERVICE_TYPES.IS, server.url);
    expect(policies['terms']).toMatchObject({ version: '1', en: { url: TERMS_URL } });
    await client.agreeToTerms(SERVICE_TYPES.IS, server.url, token, [TERMS_URL]);
    expect(await client.getIdentityAccount(token)).toEqual({
      user_id: `@ada:${homeserver.serverName}`,
    });
  });

  test('it proves an email address, which is then found whatever its letters’ case', async () => {
    const secret = client.generateClientSecret();
    const { sid } = await client.requestEmailToken(
      'Ada.Lovelace@Sample.test',
      secret,
      1,
      undefined,
      token,
    );
    const mail = await server.smtp.nextMail();
    const link = new URL(/https:\/\/\S+submitToken\S+/.exec(mail.parsed.text ?? '')?.[0] ?? '');
    expect((await request(server.url + link.pathname + link.search)).status).toBe(200);

    // The homeserver does this for its user.
    const v2 = `${server.url}/_matrix/identity/v2`;
    const mxid = `@ada:${homeserver.serverName}`;
    const bound = await postJson(`${v2}/3pid/bind`, { sid, client_secret: secret, mxid }, token);
    expect(bound.status).toBe(200);

    const details = await client.getIdentityHashDetails(token);
    expect(details.algorithms).toContain('sha256');
    expect(details.lookup_pepper).not.toBe('');
    expect(await client.lookupThreePid('email', 'ADA.lovelace@sample.test', token)).toMatchObject({
      mxid,
    });
    const many = await client.bulkLookupThreePids(
      [
        ['email', 'Ada.Lovelace@sample.test'],
        ['email', 'nobody@sample.test'],
      ],
      token,
    );
    expect(many.threepids).toEqual([['email', 'Ada.Lovelace@sample.test', mxid]]);
  });

  test('it proves a phone number', async () => {
    const secret = client.generateClientSecret();
    const asked = await client.requestMsisdnToken(
      'GB',
      '07700 900750',
      secret,
      1,
      undefined,
      token,
    );
    expect(asked).toMatchObject({ msisdn: '447700900750', intl_fmt: '+44 7700 900750' });
    const code = provider.lastCode();
    await expect(client.submitMsisdnToken(asked.sid, secret, 'wrong', token)).rejects.toMatchObject(
      {
        errcode: 'M_TOKEN_INCORRECT',
      },
    );
    expect(await client.submitMsisdnToken(asked.sid, secret, code, token)).toEqual({
      success: true,
    });
  });

  test('it takes up an invitation by the mailed link, version 1 being off', async () => {
    const sender = `@ada:${homeserver.serverName}`;
    const invite = { ...INVITE, sender, address: 'grace@sample.test' };
    const v2 = `${server.url}/_matrix/identity/v2`;
    const stored = await postJson(`${v2}/store-invite`, invite, token);
    const { text = '' } = (await server.smtp.nextMail()).parsed;
    const link = /https:\/\/\S+\/#\/room\/\S+/.exec(text)?.[0] ?? '';
    const signUrl = new URL(link.replace('/#', '')).searchParams.get('signurl') ?? '';

    const asked = Promise.withResolvers<unknown>();
    const grace = createClient({
      baseUrl: 'https://hs.test',
      userId: '@grace:hs.test',
      logger: SILENT,
      fetchFn: async (url, init) => {
        if (!String(url).startsWith('https://hs.test/')) return fetch(url, init);
        asked.resolve(JSON.parse(String(init?.body)));
        return Response.json({ room_id: INVITE.room_id });
      },
    });
    const inviteSignUrl = signUrl.replace('https://id.test', server.url);
    await grace.joinRoom(INVITE.room_id, { inviteSignUrl });
    expect(await asked.promise).toMatchObject({
      third_party_signed: { mxid: '@grace:hs.test', sender, token: stored.json.token },
    });
  });
});
