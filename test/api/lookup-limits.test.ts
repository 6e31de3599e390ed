import { afterEach, describe, expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { ENGINES, type EngineName } from '../support/databases.ts';
import { get, postJson, request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;
const ADA = '@ada:sample.test';

let server: TestServer;
let pepper: string;

interface Options {
  readonly engine?: EngineName;
  readonly limits?: string;
  readonly general?: string;
}

async function readPepper(): Promise<void> {
  const url = `${server.url}/_matrix/identity/v2/hash_details`;
  pepper = (await get(url, {}, await server.token(ADA))).json.lookup_pepper;
}

async function start({ engine, limits = '', general = '' }: Options = {}): Promise<void> {
  server = await startTestServer({
    ...(engine === undefined ? {} : { engine }),
    sections: {
      general: `${general.includes('limits.enforce') ? '' : 'limits.enforce = true\n'}${general}`,
      http: 'obey_x_forwarded_for = true',
      limits,
    },
  });
  await readPepper();
}

afterEach(() => server.stop());

/** As a proxy passes it on. */
const post = (path: string, body: object, network: string, token?: string) =>
  request(`${server.url}/_matrix/identity${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-forwarded-for': network,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });

const NETWORK = '192.0.2.1';
const ask = (addresses: readonly string[], token: string, network = NETWORK) =>
  post('/v2/lookup', { addresses, algorithm: 'sha256', pepper }, network, token);
const bulk = (addresses: readonly string[], network = NETWORK) =>
  post('/api/v1/bulk_lookup', { threepids: addresses.map((text) => ['email', text]) }, network);
const single = (address: string, network = NETWORK) =>
  request(`${server.url}/_matrix/identity/api/v1/lookup?medium=email&address=${address}`, {
    headers: { 'x-forwarded-for': network },
  });
const invite = (address: string, token?: string, sender = ADA) =>
  post(
    `${token === undefined ? '/api/v1' : '/v2'}/store-invite`,
    { medium: 'email', address, room_id: '!tea:sample.test', sender },
    NETWORK,
    token,
  );

/** Hashes, or what looks like some. */
const book = (size: number, name = 'contact') =>
  Array.from({ length: size }, (_, i) => `${name}${i}`.padEnd(43, 'x'));

/** What was answered: the status, or the limit that refused. */
const outcome = ({ status, json }: TestAnswer): number | string =>
  status === 429
    ? (/the limit (?:\S+ \()?([^\s)]+)\)? is reached/.exec(json.error)?.[1] ?? json.error)
    : status;

async function exceeded(): Promise<string[]> {
  const { text } = await request(`${server.metricsUrl}/metrics`);
  return text.split('\n').filter((line) => line.startsWith('cognomen_limit_exceeded_total{'));
}

/** Waits until the limit by homeserver refuses: until the first count is done it does not. */
async function accountsCounted(moreThanAllowed: number): Promise<void> {
  const token = await server.token('@probe:probe.test');
  let probes = 0;
  const probe = () => ask(book(moreThanAllowed, `probe${probes++} `), token, '203.0.113.9');
  await expect.poll(async () => outcome(await probe())).toBe('lookup.homeserver');
}

/** All that the database holds, by table, but when tokens were used: a restart dates them. */
async function allRows(engine: EngineName): Promise<Record<string, unknown[]>> {
  const tables = await server.database.execute(
    engine === 'sqlite'
      ? "select name from sqlite_master where type = 'table' order by name"
      : "select tablename as name from pg_tables where schemaname = 'public' order by 1",
  );
  const rows: Record<string, unknown[]> = {};
  for (const { name } of tables as { name: string }[]) {
    // How much was asked is there, and not what.
    if (name === 'cognomen_tokens' || name === 'cognomen_buckets') continue;
    rows[name] = await server.database.execute(`select * from ${name}`);
  }
  return rows;
}

/** Accounts that were made then, such as Sydent's. */
async function haveAccounts(homeserver: string, count: number, createdAt = 0): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const some = Array.from({ length: Math.min(500, count - from) }, (_, i) => [
      `@there${from + i}:${homeserver}`,
      createdAt,
    ]);
    await server.database.execute(
      `insert into accounts (user_id, created_ts) values ${some.map(() => '(?, ?)').join(', ')}`,
      some.flat(),
    );
  }
}

describe('an address book', () => {
  test.each(ENGINES)('that is synchronised every day costs once, on %s', async (engine) => {
    await start({
      engine,
      limits: 'lookup.account.burst = 5000\nlookup.account.rate_hz = 1/100000',
    });
    const token = await server.token(ADA);
    const contacts = book(5_000);
    for (let day = 0; day < 10; day++) {
      expect(outcome(await ask(contacts, token))).toBe(200);
      server.clock.advance(DAY);
    }
    expect(await exceeded()).toEqual([]);
    expect(outcome(await ask(book(100, 'harvested'), token))).toBe('lookup.account');
    expect(outcome(await ask(contacts, token))).toBe(200);
  });

  test('costs no more for what is in it twice, and nothing that was refused is free then', async () => {
    await start({ limits: 'lookup.account.burst = 20\nlookup.account.rate_hz = 1/100000' });
    const token = await server.token(ADA);
    const contacts = book(15);
    expect(outcome(await ask([...contacts, ...contacts], token))).toBe(200);
    expect(outcome(await ask(book(6, 'other'), token))).toBe('lookup.account');
    expect(outcome(await ask(book(6, 'other'), token))).toBe('lookup.account');
    expect(outcome(await ask(book(5, 'other'), token))).toBe(200);
    expect(outcome(await ask([...contacts, ...book(5, 'other')], token))).toBe(200);
  });

  test('is charged when the question is good, and not when it is not', async () => {
    await start({ limits: 'lookup.account.burst = 2\nlookup.account.rate_hz = 1/100000' });
    const token = await server.token(ADA);
    const wrong = { addresses: book(2), algorithm: 'sha256', pepper: 'old' };
    expect((await post('/v2/lookup', wrong, NETWORK, token)).json.errcode).toBe('M_INVALID_PEPPER');
    const other = { ...wrong, pepper, algorithm: 'md5' };
    expect((await post('/v2/lookup', other, NETWORK, token)).json.errcode).toBe('M_INVALID_PARAM');
    expect((await ask(book(10_001), token)).json.errcode).toBe('M_TOO_LARGE');
    expect(outcome(await ask(book(2, 'good'), token))).toBe(200);
  });

  test.each(
    ENGINES.flatMap(
      (engine) =>
        [
          [
            engine,
            'lookup.account',
            'lookup.account.burst = 20\nlookup.account.rate_hz = 1/100000',
          ],
          [engine, 'lookup.homeserver', 'lookup.homeserver.burst = 20'],
        ] as const,
    ),
  )(
    'is asked anew under a new pepper, on %s by who had used up %s',
    async (engine, limit, limits) => {
      await start({ engine, limits });
      const isCounted = async () => {
        if (limit === 'lookup.homeserver') await accountsCounted(21);
      };
      const token = await server.token(ADA);
      await isCounted();
      expect(outcome(await ask(book(20, 'old'), token))).toBe(200);
      expect(outcome(await ask(book(20, 'new'), token))).toBe(limit);
      await server.database.execute('update hashing_metadata set lookup_pepper = ?', ['newPepper']);
      await server.restart();
      await readPepper();
      expect(pepper).toBe('newPepper');
      await isCounted();
      expect(outcome(await ask(book(20, 'new'), token))).toBe(200);
      expect(outcome(await ask(book(1, 'more'), token))).toBe(limit);
    },
  );

  test.each(ENGINES)('is in no log, nor in the database, on %s', async (engine) => {
    await start({ engine });
    const token = await server.token(ADA);
    const before = await allRows(engine);
    const asked = [...book(50), 'someone@private.test email'];
    expect(outcome(await ask(asked, token))).toBe(200);
    await server.restart();
    expect(outcome(await ask(asked, token))).toBe(200);
    expect(await allRows(engine)).toEqual(before);
    const logs = server.logs.join('');
    for (const text of ['private.test', 'contact0']) expect(logs).not.toContain(text);
  });
});

describe('who collects addresses', () => {
  test('with one account gets 50,000, and then one in four seconds', async () => {
    await start();
    const token = await server.token(ADA);
    const honest = await server.token('@grace:sample.test');
    for (let page = 0; page < 5; page++) {
      expect(outcome(await ask(book(10_000, `${page}`), token, `192.0.2.${page}`))).toBe(200);
    }
    const refused = await ask(book(100, 'more'), token, '198.51.100.1');
    expect(outcome(refused)).toBe('lookup.account');
    // A few addresses passed for others: the fingerprints are short.
    expect(refused.json.retry_after_ms).toBeLessThanOrEqual(400_000);
    expect(refused.json.retry_after_ms).toBeGreaterThan(360_000);
    expect(outcome(await ask(book(5_000), honest, '198.51.100.1'))).toBe(200);
    server.clock.advance(400_000);
    expect(outcome(await ask(book(100, 'more'), token, '198.51.100.1'))).toBe(200);
    expect(outcome(await ask(book(20, 'most'), token, '198.51.100.1'))).toBe('lookup.account');
  });

  test('with 50 accounts of a new homeserver gets what one homeserver may, whatever its names', async () => {
    await start({ limits: 'lookup.homeserver.burst = 500' });
    await accountsCounted(501);
    const outcomes: (number | string)[] = [];
    for (let user = 0; user < 50; user++) {
      const name = ['evil.test', `hs${user}.evil.test`, `Evil.test:${user + 1}`][user % 3];
      const token = await server.token(`@u${user}:${name}`);
      outcomes.push(outcome(await ask(book(20, `${user} `), token, `192.0.2.${user}`)));
    }
    expect(outcomes.slice(0, 25)).toEqual(new Array(25).fill(200));
    expect(outcomes.slice(25)).toEqual(new Array(25).fill('lookup.homeserver'));
    const honest = await server.token('@grace:other.test');
    expect(outcome(await ask(book(400), honest))).toBe(200);
  });

  test('with homeservers named by addresses gets what one may in a /64 of IPv6, and at one address of IPv4', async () => {
    await start({ limits: 'lookup.homeserver.burst = 60' });
    await accountsCounted(61);
    const outcomeOf = async (name: string) => {
      const token = await server.token(`@u:${name}`);
      return outcome(await ask(book(30, `${name} `), token));
    };
    for (const [first, second, third, beside] of [
      ['[2001:db8::1]', '[2001:DB8:0:0:ffff::2]:8448', '[2001:db8::3]:1', '[2001:db8:0:1::1]'],
      ['198.51.100.1', '198.51.100.1:8448', '[::ffff:198.51.100.1]', '198.51.100.2'],
    ] as const) {
      expect(await outcomeOf(first)).toBe(200);
      expect(await outcomeOf(second)).toBe(200);
      expect(await outcomeOf(third)).toBe('lookup.homeserver');
      expect(await outcomeOf(beside)).toBe(200);
    }
  });

  test.each(ENGINES)(
    'gains nothing for a week by making many accounts, while an old homeserver has more, on %s',
    async (engine) => {
      await start({ engine, limits: 'lookup.homeserver.burst = 100' });
      await haveAccounts('big.test', 500);
      await haveAccounts('evil.test', 500, server.clock.now() - 6 * DAY);
      await server.restart();
      const big = await server.token('@user:hs.big.test');
      const evil = await server.token('@u0:evil.test');
      const allowed = async (token: string, name: string) => {
        for (let tens = 0; tens < 40; tens++) {
          const answer = await ask(book(10, `${name}${tens} `), token);
          if (answer.status !== 200) return [10 * tens, outcome(answer)];
        }
        return [];
      };
      await accountsCounted(101);
      expect(await allowed(evil, 'evil')).toEqual([100, 'lookup.homeserver']);
      expect(await allowed(big, 'big')).toEqual([200, 'lookup.homeserver']);
    },
  );

  test('from one network gets less without accounts than with, whoever else asks there', async () => {
    await start({ limits: 'lookup.network.burst = 2000\nlookup.network_v1.burst = 200' });
    const addresses = (n: number, name: string) => book(n, name).map((text) => `${text}@b.test`);
    expect(outcome(await bulk([...addresses(199, 'a'), ...addresses(199, 'a')]))).toBe(200);
    expect(outcome(await single('x@b.test'))).toBe(200);
    expect(outcome(await single('y@b.test'))).toBe('lookup.network_v1');
    expect(outcome(await bulk(addresses(1, 'c')))).toBe('lookup.network_v1');
    expect(outcome(await single('y@b.test', '192.0.2.2'))).toBe(200);
    const outcomes: (number | string)[] = [];
    for (let user = 0; user < 4; user++) {
      const token = await server.token(`@u${user}:hs${user}.test`);
      outcomes.push(outcome(await ask(book(600, `${user}`), token)));
    }
    expect(outcomes).toEqual([200, 200, 200, 'lookup.network']);
    const token = await server.token('@elsewhere:sample.test');
    expect(outcome(await ask(book(600), token, '198.51.100.7'))).toBe(200);
  });

  test('by inviting is charged for what M_THREEPID_IN_USE tells', async () => {
    await start({
      limits:
        'lookup.account.burst = 3\nlookup.account.rate_hz = 1/100000\nlookup.network_v1.burst = 2',
    });
    const token = await server.token(ADA);
    const bind = (address: string) =>
      postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
        medium: 'email',
        address,
        mxid: '@bound:sample.test',
      });
    for (let n = 0; n < 6; n++) await bind(`b${n}@sample.test`);
    for (let n = 0; n < 3; n++) {
      const answer = await invite(`b${n}@sample.test`, token);
      expect([answer.status, answer.json.errcode]).toEqual([400, 'M_THREEPID_IN_USE']);
    }
    expect(outcome(await invite('b3@sample.test', token))).toBe('lookup.account');
    expect(outcome(await invite('b0@sample.test', token))).toBe(400);
    expect((await invite('b4@sample.test')).json.errcode).toBe('M_THREEPID_IN_USE');
    expect((await invite('b5@sample.test')).json.errcode).toBe('M_THREEPID_IN_USE');
    expect(outcome(await invite('free@sample.test'))).toBe('lookup.network_v1');
    expect(server.smtp.mails).toHaveLength(0);
  });

  test('pays once when a homeserver looks up an address and then invites it', async () => {
    await start({ limits: 'lookup.account.burst = 1\nlookup.account.rate_hz = 1/100000' });
    const token = await server.token(ADA);
    const address = 'Some.One@sample.test';
    expect(outcome(await ask([lookupHash(address, 'email', pepper)], token))).toBe(200);
    expect(outcome(await invite(address, token))).toBe(200);
    expect(outcome(await invite('other@sample.test', token))).toBe('lookup.account');
  });
});

describe('homeservers', () => {
  test.each([
    ['lookup.trusted_homeservers = Big.test, other.test'],
    ['enable_v1_access = false\nhomeserver_allow_list = big.test'],
  ])('are exempt from the limit by homeserver with %s', async (general) => {
    await start({ general, limits: 'lookup.homeserver.burst = 10' });
    await accountsCounted(11);
    const token = await server.token('@user:big.test');
    const other = await server.token('@user:small.test');
    const another = await server.token('@user:hs.big.test');
    expect(outcome(await ask(book(100), token))).toBe(200);
    expect(outcome(await ask(book(100, 'x'), token))).toBe(200);
    expect(outcome(await ask(book(11, 'y'), other))).toBe(200);
    expect(outcome(await ask(book(11, 'z'), other))).toBe('lookup.homeserver');
    expect(outcome(await ask(book(10), another))).toBe(200);
    expect(outcome(await ask(book(10, 'x'), another))).toBe('lookup.homeserver');
  });

  test('with 5,000 users behind one address look everything up again after an upgrade', async () => {
    await start({ general: `limits.trusted_networks = ${NETWORK}` });
    await haveAccounts('big.test', 5_000);
    await server.restart();
    // As many addresses as 5,000 address books of 140 have.
    for (let user = 0; user < 70; user++) {
      const token = await server.token(`@there${user}:big.test`);
      expect(outcome(await ask(book(10_000, `${user} `), token))).toBe(200);
    }
    expect(await exceeded()).toEqual([]);
  });
});

describe('an existing deployment', () => {
  test('is told what would be refused, and refuses nothing', async () => {
    await start({
      general: 'limits.enforce = report',
      limits: 'lookup.account.burst = 10\nlookup.network.burst = 10\nlookup.homeserver.burst = 10',
    });
    const token = await server.token(ADA);
    for (let page = 0; page < 3; page++) {
      expect(outcome(await ask(book(100, `${page} `), token))).toBe(200);
    }
    const names = ['lookup.account', 'lookup.homeserver', 'lookup.network'];
    expect((await exceeded()).sort()).toEqual(
      names.map((name) => `cognomen_limit_exceeded_total{limit="${name}",enforced="false"} 2`),
    );
  });
});
