import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { request } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startWebhook, type TestProvider } from '../support/sms.ts';

const USERS = 5000;
/** Their clients, or their homeserver in their place, are all behind this one. */
const OFFICE = '192.0.2.1';
const ADDRESS_BOOK = 50;
const DAY = 24 * 60 * 60 * 1000;

/** What docs/limits.md says to set for a homeserver that asks for all its users. */
const MODES: [string, string][] = [
  ['the defaults of an existing file', ''],
  ['limits.enforce = true', `limits.enforce = true\nlimits.trusted_networks = ${OFFICE}`],
];

const refusals = async (server: TestServer, enforced: boolean) => {
  const { text } = await request(`${server.metricsUrl}/metrics`);
  return text
    .split('\n')
    .filter((line) => line.startsWith('cognomen_limit_exceeded_total{'))
    .filter((line) => line.includes(`enforced="${enforced}"`));
};

describe.each(MODES)('with %s', (_mode, general) => {
  let server: TestServer;
  let provider: TestProvider;

  beforeAll(async () => {
    provider = await startWebhook();
    server = await startTestServer({
      sections: { http: 'obey_x_forwarded_for = true', general, sms: provider.config },
    });
  });
  afterAll(async () => {
    await server.stop();
    await provider.close();
  });

  const post = (path: string, body: object, token?: string) =>
    request(`${server.url}/_matrix/identity${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-forwarded-for': OFFICE,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });

  test('a homeserver with 5,000 users behind one address looks up, after an upgrade and every day', async () => {
    const rows = Array.from({ length: USERS }, (_, n) => n);
    for (let start = 0; start < USERS; start += 100) {
      const some = rows.slice(start, start + 100);
      const marks = some.map(() => '(?, ?)').join(', ');
      await server.database.execute(
        `insert into accounts (user_id, created_ts) values ${marks}`,
        some.flatMap((n) => [`@u${n}:sample.test`, server.clock.now() - 30 * DAY]),
      );
      await server.database.execute(
        `insert into tokens (token, user_id) values ${marks}`,
        some.flatMap((n) => [`token${n}`, `@u${n}:sample.test`]),
      );
    }
    const details = await request(`${server.url}/_matrix/identity/v2/hash_details`, {
      headers: { authorization: 'Bearer token0' },
    });
    const { lookup_pepper: pepper } = details.json;
    const addressBook = (n: number) =>
      Array.from({ length: ADDRESS_BOOK }, (_, i) =>
        createHash('sha256').update(`${n} ${i} ${pepper}`).digest('base64url'),
      );
    // Everybody asks after an upgrade; on the next day some are enough.
    for (const users of [USERS, USERS / 5]) {
      for (let start = 0; start < users; start += 50) {
        const some = rows.slice(start, start + 50);
        const answers = await Promise.all(
          some.map((n) =>
            post(
              '/v2/lookup',
              { algorithm: 'sha256', pepper, addresses: addressBook(n) },
              `token${n}`,
            ),
          ),
        );
        expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
      }
      server.clock.advance(DAY);
    }
    expect(await refusals(server, true)).toEqual([]);
  });

  test('a homeserver lets this server send its users’ text messages over version 1', async () => {
    for (let n = 0; n < 45; n++) {
      const requested = await post('/api/v1/validate/msisdn/requestToken', {
        phone_number: `+3361234${5001 + n}`,
        country: 'FR',
        client_secret: `secret${n}`,
        send_attempt: 1,
      });
      expect(requested.json).toMatchObject({ success: true });
      const { sid } = requested.json;
      const proof = { sid, client_secret: `secret${n}` };
      const submitted = await post('/api/v1/validate/msisdn/submitToken', {
        ...proof,
        token: provider.lastCode(),
      });
      expect(submitted.json).toEqual({ success: true });
    }
    expect(await refusals(server, true)).toEqual([]);
  });

  test('a homeserver has its users’ invitations sent', async () => {
    for (let n = 0; n < 250; n++) {
      const invited = await post(
        '/v2/store-invite',
        {
          medium: 'email',
          address: `friend${n}@d${n % 20}.test`,
          room_id: '!tea:sample.test',
          sender: `@u${n}:sample.test`,
        },
        `token${n}`,
      );
      expect(invited.status).toBe(200);
    }
    expect(await refusals(server, true)).toEqual([]);
  });
});

test('without what docs/limits.md says to set, limits.enforce = true would refuse some of that', async () => {
  const server = await startTestServer({
    sections: { http: 'obey_x_forwarded_for = true', general: 'limits.enforce = true' },
  });
  const statuses: number[] = [];
  for (let n = 0; n < 210; n++) {
    const token = await server.token(`@u${n}:sample.test`);
    const { status } = await request(`${server.url}/_matrix/identity/v2/store-invite`, {
      method: 'POST',
      headers: { 'x-forwarded-for': OFFICE, authorization: `Bearer ${token}` },
      body: JSON.stringify({
        medium: 'email',
        address: `friend${n}@d${n % 20}.test`,
        room_id: '!tea:sample.test',
        sender: `@u${n}:sample.test`,
      }),
    });
    statuses.push(status);
  }
  await server.stop();
  expect(statuses.filter((status) => status === 429)).toHaveLength(10);
});
