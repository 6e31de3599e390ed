import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { request, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe.runIf(ENGINES.includes('postgres'))('two nodes', () => {
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let nodes: TestServer[] = [];

  beforeEach(async () => {
    database = await createDatabase('postgres');
    proxy = await startDatabaseProxy(database.config);
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    nodes = [];
    await proxy.close();
    await database.drop();
  });

  async function start(limits: string, general = ''): Promise<void> {
    for (let node = 0; node < 2; node++) {
      nodes.push(
        await startTestServer({
          database,
          sections: {
            db: `${proxy.config}\ndb.connect_timeout = 2`,
            http: 'obey_x_forwarded_for = true',
            general: `limits.enforce = true\n${general}`,
            limits,
          },
        }),
      );
    }
  }

  const post = (node: number, path: string, body: object, network: string) =>
    request(`${nodes[node % 2]?.url}/_matrix/identity${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': network },
      body: JSON.stringify(body),
    });

  let secrets = 0;
  const mail = (node: number, email: string, network = '192.0.2.1') =>
    post(
      node,
      '/api/v1/validate/email/requestToken',
      { email, client_secret: `secret${secrets++}`, send_attempt: 1 },
      network,
    );

  const lookup = (node: number, addresses: readonly string[], network = '192.0.2.1') =>
    post(
      node,
      '/api/v1/bulk_lookup',
      { threepids: addresses.map((address) => ['email', address]) },
      network,
    );

  function outcome({ status, json }: TestAnswer): number | string {
    if (status !== 429) return status;
    return /the limit (?:\S+ \()?([^\s)]+)\)? is reached/.exec(json.error)?.[1] ?? json.error;
  }
  const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);

  test('count the mails to one mailbox together', async () => {
    await start('');
    const all: (number | string)[] = [];
    for (let n = 0; n < 22; n++) {
      all.push(outcome(await mail(n, `ada+${n}@sample.test`, `192.0.2.${n}`)));
    }
    expect(all).toEqual([...times(20, 200), ...times(2, 'email.ratelimit_recipient')]);
  });

  test('let no more through when both are asked at once', async () => {
    await start('mail.network_v1.burst = 30\nmail.network_v1.rate_hz = 1/10000', '');
    const all = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => outcome(await mail(n, `u${n}@sample.test`))),
    );
    // As many as one would, but for one or two that refused ones held while they were refused.
    const through = all.filter((each) => each === 200).length;
    expect(through).toBeLessThanOrEqual(30);
    expect(through).toBeGreaterThanOrEqual(28);
  });

  test('have what is refused on one count nowhere on the other', async () => {
    await start(
      'mail.network_v1.burst = 1\nmail.network_v1.rate_hz = 1/10000\nmail.recipient_share.burst = 5',
    );
    expect(outcome(await mail(0, 'u@sample.test'))).toBe(200);
    for (let n = 0; n < 10; n++) {
      expect(outcome(await mail(0, 'ada@sample.test'))).toBe('mail.network_v1');
    }
    for (let n = 0; n < 5; n++) {
      expect(outcome(await mail(1, 'ada@sample.test', `198.51.100.${n}`))).toBe(200);
    }
  });

  test('know who had their fair share, whichever they ask', async () => {
    await start('mail.domain.burst = 3\nmail.domain.rate_hz = 1/6000');
    const flood: (number | string)[] = [];
    for (let n = 0; n < 5; n++) flood.push(outcome(await mail(n, `u${n}@sample.test`)));
    expect(flood).toEqual([200, 200, 200, 'mail.domain', 'mail.domain']);
    expect(outcome(await mail(0, 'v@sample.test', '198.51.100.1'))).toBe(200);
    expect(outcome(await mail(1, 'w@sample.test', '198.51.100.1'))).toBe('mail.domain');
    expect(outcome(await mail(1, 'x@sample.test', '198.51.100.2'))).toBe(200);
    expect(outcome(await mail(0, 'y@sample.test', '198.51.100.3'))).toBe(200);
    expect(outcome(await mail(0, 'z@sample.test', '198.51.100.4'))).toBe('mail.domain');
  });

  test('allow as many lookups together as one, less what the other holds, and all of it at its stop', async () => {
    await start('lookup.network_v1.burst = 1600\nlookup.network_v1.rate_hz = 1/10000');
    const book = (size: number, name: string) =>
      Array.from({ length: size }, (_, n) => `${name}${n}@sample.test`);
    expect(outcome(await lookup(0, book(1, 'one')))).toBe(200);
    expect(outcome(await lookup(1, book(1499, 'two')))).toBe(200);
    expect(outcome(await lookup(1, book(100, 'three')))).toBe('lookup.network_v1');
    await nodes[0]?.restart();
    expect(outcome(await lookup(0, book(99, 'four')))).toBe(200);
    expect(outcome(await lookup(0, book(10, 'five')))).toBe('lookup.network_v1');
  });

  test('refuse with 503 what they cannot count, and go on when they can', async () => {
    await start('');
    expect(outcome(await mail(0, 'u@sample.test'))).toBe(200);
    proxy.cut();
    expect(outcome(await mail(0, 'ada@sample.test'))).toBe(503);
    expect(outcome(await lookup(1, ['ada@sample.test']))).toBe(503);
    proxy.restore();
    await expect.poll(async () => outcome(await mail(0, 'ada@sample.test'))).toBe(200);
    expect(outcome(await lookup(1, ['ada@sample.test']))).toBe(200);
  });

  test('keep no address of a client in the database, nor of a mailbox that was only named', async () => {
    await start('');
    expect(outcome(await mail(0, 'ada@sample.test', '203.0.113.77'))).toBe(200);
    const rows = await database.execute('select * from cognomen_buckets');
    expect(rows.length).toBeGreaterThan(5);
    expect(JSON.stringify(rows)).not.toMatch(/ada@|203\.0\.113/);
  });
});
