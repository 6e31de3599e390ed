import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { postJson, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, type TestProvider } from '../support/sms.ts';

/** Lets nobody write to a table of PostgreSQL. */
async function holdTable({ database }: TestServer, table: string) {
  const url = database.config.replace('db.url = ', '').replaceAll('%%', '%');
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`begin; lock table ${table} in share mode`);
  const waiting = `select from pg_locks where not granted and relation = '${table}'::regclass`;
  return {
    untilWaitedFor: () => expect.poll(() => database.execute(waiting)).toHaveLength(1),
    now: () => client.end(),
  };
}

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

  test('one that a limit refuses leaves a validated session in its place', async () => {
    const number = newNumber();
    for (const attempt of [1, 2, 3]) await ask(0, number, attempt);
    const { sid } = (await ask(0, number, 3)).json;
    expect((await guess(0, sid, provider.lastCode())).json.success).toBe(true);
    expect((await ask(0, number, 4)).status).toBe(429);
    const before = provider.posts.length;
    expect((await ask(0, number, 3)).json.sid).toBe(sid);
    expect(provider.posts).toHaveLength(before);
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

  test('what only opens a session is charged too', async () => {
    const server = await startTestServer({
      engine,
      sections: { email: 'email.ratelimit_sender.burst = 2' },
    });
    const open = (name: string) =>
      postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
        email: `${name}@sample.test`,
        client_secret: 'secret',
        send_attempt: -1,
      });
    const statuses = [];
    for (const name of ['ada', 'bob', 'eve', 'joe']) statuses.push((await open(name)).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    const left = await server.database.execute('select session_id from cognomen_sessions');
    expect(left).toHaveLength(2);
    expect(server.smtp.mails).toHaveLength(0);
    await server.stop();
  });

  test('one that a limit refuses leaves alone the code of a process that died', async () => {
    const sections = {
      sms: `${provider.config}\nmsisdn.ratelimit.burst = 1\nmsisdn.ratelimit.rate_hz = 0.0001`,
    };
    const server = await startTestServer({ engine, sections });
    const v1 = `${server.url}/_matrix/identity/api/v1/validate`;
    const number = newNumber();
    const ask = (attempt: number) =>
      postJson(`${v1}/msisdn/requestToken`, {
        phone_number: number,
        country: 'GB',
        client_secret: 'secret',
        send_attempt: attempt,
      });
    const arrived = Promise.withResolvers<(status: number) => void>();
    provider.behave((_request, response) => {
      provider.behave(undefined);
      arrived.resolve((status) => void response.writeHead(status).end());
    });
    const from = provider.posts.length;
    const first = ask(1);
    const answer = await arrived.promise;
    // To the others it is dead when its time is over.
    server.clock.advance(2 * 60_000);
    expect((await ask(2)).status).toBe(429);
    const [session] = await server.database.execute('select session_id from cognomen_sessions');
    const sid = String((session as { session_id: unknown } | undefined)?.session_id);
    const token = codeIn(provider.posts[from]?.body);
    const tried = await postJson(`${v1}/msisdn/submitToken`, {
      sid,
      token,
      client_secret: 'secret',
    });
    expect(tried.json).toEqual({ success: true });
    answer(201);
    await first;
    await server.stop();
  });
});

test('guesses made while a message is noted as sent stay counted', async () => {
  const provider = await startOpenMarket();
  const server = await startTestServer({ engine: 'postgres', sections: { sms: provider.config } });
  const v1 = `${server.url}/_matrix/identity/api/v1/validate/msisdn`;
  const arrived = Promise.withResolvers<() => void>();
  provider.behave((_request, response) => {
    provider.behave(undefined);
    arrived.resolve(() => void response.writeHead(201).end());
  });
  const asked = postJson(`${v1}/requestToken`, {
    phone_number: '07700 900999',
    country: 'GB',
    client_secret: 'secret',
    send_attempt: 1,
  });
  const answer = await arrived.promise;
  const [session] = await server.database.execute('select session_id from cognomen_sessions');
  const sid = String((session as { session_id: unknown } | undefined)?.session_id);
  const guess = async () =>
    (await postJson(`${v1}/submitToken`, { sid, token: 'wrong', client_secret: 'secret' })).json;

  // Codes can be read meanwhile, but not written: the note is held half-way.
  const release = await holdTable(server, 'cognomen_session_codes');
  answer();
  await release.untilWaitedFor();
  for (let i = 0; i < 10; i++) expect((await guess()).errcode).toBe('M_TOKEN_INCORRECT');
  await release.now();
  expect((await asked).json.sid).toBe(sid);
  expect((await guess()).errcode).toBe('M_SESSION_EXPIRED');
  await server.stop();
  await provider.close();
});
