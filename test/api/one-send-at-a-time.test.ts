import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { postJson, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, type TestProvider } from '../support/sms.ts';

const codeIn = (message = '') => /Your code is (\d{6})/.exec(message)?.[1] ?? '';

describe.each(ENGINES)('of many requests for one session on %s,', (engine) => {
  let provider: TestProvider;
  /** On PostgreSQL two servers on one database. */
  let servers: TestServer[];
  let numbers = 0;

  beforeAll(async () => {
    provider = await startOpenMarket();
    const sections = {
      sms: `${provider.config}\nmsisdn.ratelimit.burst = 3\ncountry.ratelimit.burst = 1000`,
      email: 'email.ratelimit_sender.burst = 3',
    };
    const first = await startTestServer({ engine, sections });
    servers = [first];
    if (engine === 'postgres') {
      servers.push(await startTestServer({ engine, sections, database: first.database }));
    }
  });
  afterAll(async () => {
    for (const server of servers.toReversed()) await server.stop();
    await provider.close();
  });

  const v1 = (turn: number) =>
    `${servers[turn % servers.length]?.url}/_matrix/identity/api/v1/validate`;
  const newNumber = () => `07700 ${900_100 + ++numbers}`;
  const ask = (turn: number, number: string, attempt: number) =>
    postJson(`${v1(turn)}/msisdn/requestToken`, {
      phone_number: number,
      country: 'GB',
      client_secret: 'secret',
      send_attempt: attempt,
    });
  const guess = (turn: number, sid: string, token: string) =>
    postJson(`${v1(turn)}/msisdn/submitToken`, { sid, token, client_secret: 'secret' });
  const many = (count: number, request: (turn: number) => Promise<TestAnswer>) =>
    Promise.all(Array.from({ length: count }, (_, turn) => request(turn)));

  test('40 alike are one session and one text message', async () => {
    const number = newNumber();
    const before = provider.messages.length;
    const answers = await many(40, (turn) => ask(turn, number, 1));
    expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200));
    expect(new Set(answers.map(({ json }) => json.sid)).size).toBe(1);
    expect(provider.messages).toHaveLength(before + 1);
    expect((await guess(1, answers[0]?.json.sid, provider.lastCode())).json.success).toBe(true);
  });

  test('40 alike are one mail, and charged as one', async () => {
    const mail = (turn: number) =>
      postJson(`${v1(turn)}/email/requestToken`, {
        email: `ada@${engine}.test`,
        client_secret: 'secret',
        send_attempt: 1,
      });
    const answers = await many(40, mail);
    expect(new Set(answers.map(({ status, json }) => `${status} ${json.sid}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    const sent = servers.flatMap(({ smtp }) => smtp.mails);
    expect(sent).toHaveLength(1);
  });

  test('those beyond a limit set back no wrong guesses, and leave no code', async () => {
    const number = newNumber();
    const { sid } = (await ask(0, number, 1)).json;
    await ask(1, number, 2);
    await ask(0, number, 3);
    const right = provider.lastCode();
    const before = provider.posts.length;
    const wrong: TestAnswer[] = [];
    for (let round = 0; round < 6; round++) {
      const refused = many(4, (turn) => ask(turn, number, 10 + round * 4 + turn));
      wrong.push(...(await many(4, (turn) => guess(turn, sid, `guess ${round}`))));
      // A limit is kept by each process: the other one may still send some.
      const statuses = (await refused).map(({ status }) => status);
      if (engine === 'sqlite') expect(statuses).toEqual([429, 429, 429, 429]);
    }
    const messages = 1 + provider.posts.length - before;
    const tried = wrong.filter(({ json }) => json.errcode === 'M_TOKEN_INCORRECT').length;
    expect(tried).toBeLessThanOrEqual(10 * messages);
    if (engine === 'postgres') return;
    expect(tried).toBe(10);
    expect((await guess(0, sid, right)).json.errcode).toBe('M_SESSION_EXPIRED');
  });

  test('those that the provider refuses leave no code, and no more guesses at the one before', async () => {
    const number = newNumber();
    const { sid } = (await ask(0, number, 1)).json;
    const right = provider.lastCode();
    provider.behave((_request, response) => void response.writeHead(503).end());
    const from = provider.posts.length;
    const refused = await many(2, (turn) => ask(turn, number, 2 + turn));
    expect(refused.map(({ status }) => status)).toEqual([400, 400]);
    provider.behave(undefined);
    const dead = provider.posts.slice(from).map(({ body }) => codeIn(body));
    expect(dead).toHaveLength(2);
    for (const code of dead) {
      expect((await guess(0, sid, code)).json.errcode).toBe('M_TOKEN_INCORRECT');
    }
    for (let i = 0; i < 8; i++) await guess(i, sid, 'wrong');
    expect((await guess(0, sid, right)).json.errcode).toBe('M_SESSION_EXPIRED');
  });

  test('one that comes while another is sending waits for its turn, and its code is the one that counts', async () => {
    const number = newNumber();
    const arrived = Promise.withResolvers<() => void>();
    provider.behave((_request, response) => {
      provider.behave(undefined);
      arrived.resolve(() => void response.writeHead(201).end());
    });
    const from = provider.posts.length;
    const first = ask(0, number, 1);
    const answer = await arrived.promise;
    const second = ask(1, number, 2);
    const underWay = codeIn(provider.posts[from]?.body);
    answer();
    const { sid } = (await first).json;
    expect((await second).json.sid).toBe(sid);
    expect(provider.posts).toHaveLength(from + 2);
    expect((await guess(0, sid, underWay)).json.errcode).toBe('M_TOKEN_INCORRECT');
    expect((await guess(1, sid, provider.lastCode())).json.success).toBe(true);
  });
});
