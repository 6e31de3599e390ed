import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MOST_FORMER } from '../../src/identity/peppers/rotation.ts';
import { ENGINES } from '../support/databases.ts';
import { get } from '../support/http.ts';
import {
  beginBeside,
  bindEmail as bind,
  hashOf as hash,
  hashDetails,
  lookUp as lookup,
  unbindEmail as unbind,
} from '../support/peppers.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const soon = { timeout: 20_000 };
const HOUR = 60 * 60 * 1000;

const begin = ({ config, clock }: TestServer) => beginBeside(config.db, clock);

/** Rotates, and waits for the new pepper. */
async function rotate(server: TestServer, token: string): Promise<string> {
  const before = await hashDetails(server, token);
  expect((await begin(server)).outcome).toBe('begun');
  await expect
    .poll(async () => (await hashDetails(server, token)).lookup_pepper, soon)
    .not.toBe(before.lookup_pepper);
  return (await hashDetails(server, token)).lookup_pepper;
}

describe.each(ENGINES)('rotating the pepper on %s', (engine) => {
  let server: TestServer;
  let token: string;
  let first: string;

  beforeEach(async () => {
    server = await startTestServer({ engine, sections: { lookup_pepper: 'grace_hours = 2' } });
    token = await server.token('@asks:sample.test');
    first = (await hashDetails(server, token)).lookup_pepper;
    await bind(server, 'Ada@sample.test', '@ada:sample.test');
    await bind(server, 'grace@sample.test', '@grace:sample.test');
  });
  afterEach(() => server.stop());

  test('finds all by both peppers, also what is bound after, until the former one ends', async () => {
    expect(await hashDetails(server, token)).not.toHaveProperty('alt_lookup_peppers');
    const second = await rotate(server, token);
    expect(second).toMatch(/^[A-Za-z0-9]{32}$/);
    expect((await hashDetails(server, token)).alt_lookup_peppers).toEqual([first]);
    await bind(server, 'late@sample.test', '@late:sample.test');
    await bind(server, 'grace@sample.test', '@moved:sample.test');
    await unbind(server, 'Ada@sample.test', '@ada:sample.test');
    for (const pepper of [first, second]) {
      expect(await lookup(server, token, 'late@sample.test', pepper)).toBe('@late:sample.test');
      expect(await lookup(server, token, 'grace@sample.test', pepper)).toBe('@moved:sample.test');
      for (const spelling of ['ada@sample.test', 'Ada@sample.test']) {
        expect(await lookup(server, token, spelling, pepper)).toBe('nobody');
      }
    }
    await server.restart();
    expect(await lookup(server, token, 'late@sample.test', first)).toBe('@late:sample.test');

    server.clock.advance(2 * HOUR);
    expect(await lookup(server, token, 'late@sample.test', first)).toEqual({
      errcode: 'M_INVALID_PEPPER',
      error: expect.any(String),
      algorithm: 'sha256',
      lookup_pepper: second,
    });
    expect(await hashDetails(server, token)).not.toHaveProperty('alt_lookup_peppers');
    expect(await lookup(server, token, 'late@sample.test', second)).toBe('@late:sample.test');
  });

  test('leaves no hash of what was unbound, and none of a pepper that has ended', async () => {
    const peppersOf = async () =>
      (
        (await server.database.execute(
          'select distinct pepper from cognomen_rotated_keys order by pepper',
        )) as { pepper: number }[]
      ).map(({ pepper }) => pepper);
    const second = await rotate(server, token);
    const rows = () =>
      server.database.execute('select * from cognomen_rotated_keys') as Promise<object[]>;
    // Two spellings of one of the addresses.
    expect(await rows()).toHaveLength(3);
    await unbind(server, 'Ada@sample.test', '@ada:sample.test');
    expect(await rows()).toHaveLength(1);
    const third = await rotate(server, token);
    expect(await peppersOf()).toEqual([1, 2]);
    expect((await hashDetails(server, token)).alt_lookup_peppers).toEqual([second, first]);
    server.clock.advance(3 * HOUR);
    await expect.poll(peppersOf, soon).toEqual([2]);
    expect(await lookup(server, token, 'grace@sample.test', third)).toBe('@grace:sample.test');
    // Once more, as its hashes are deleted.
    const fourth = await rotate(server, token);
    expect(await lookup(server, token, 'grace@sample.test', fourth)).toBe('@grace:sample.test');
  });

  test('leaves Sydent’s tables as they were, so that Sydent would answer lookups', async () => {
    await rotate(server, token);
    server.clock.advance(3 * HOUR);
    await bind(server, 'late@sample.test', '@late:sample.test');
    await rotate(server, token);
    const [metadata] = (await server.database.execute(
      'select lookup_pepper as pepper from hashing_metadata',
    )) as { pepper: string }[];
    // As Sydent looks them up.
    for (const address of ['ada@sample.test', 'grace@sample.test', 'late@sample.test']) {
      const found = await server.database.execute(
        'select mxid from global_threepid_associations where lookup_hash in (?)',
        [hash(address, metadata?.pepper ?? '')],
      );
      expect(found, address).toHaveLength(1);
    }
  });

  test('takes over what Sydent bound meanwhile, for each pepper that works', async () => {
    const second = await rotate(server, token);
    await server.app.close();
    await server.database.execute(
      `insert into global_threepid_associations
        (medium, address, lookup_hash, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc")
        values ('email', 'sydent@sample.test', 'x', '@sydent:sample.test', 1, 0, 9999999999999, 'id.test', 99, '{}')`,
    );
    await server.database.execute(
      "delete from global_threepid_associations where address = 'grace@sample.test'",
    );
    await server.restart();
    for (const pepper of [first, second]) {
      const found = await lookup(server, token, 'sydent@sample.test', pepper);
      expect(found).toBe('@sydent:sample.test');
      expect(await lookup(server, token, 'grace@sample.test', pepper)).toBe('nobody');
    }
  });

  test('refuses to have more former peppers than three, and says until when', async () => {
    for (let i = 0; i < MOST_FORMER; i++) await rotate(server, token);
    expect((await hashDetails(server, token)).alt_lookup_peppers).toHaveLength(MOST_FORMER);
    const { outcome } = await begin(server);
    expect(outcome).toBe('too-many');
    for (const pepper of (await hashDetails(server, token)).alt_lookup_peppers ?? []) {
      expect(await lookup(server, token, 'grace@sample.test', pepper)).toBe('@grace:sample.test');
    }
  });

  test('measures how far it is', async () => {
    const metric = async (name: string) => {
      const { text } = await get(`${server.metricsUrl}/metrics`);
      return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
    };
    expect(await metric('cognomen_former_peppers')).toBe(0);
    await rotate(server, token);
    await expect.poll(() => metric('cognomen_former_peppers'), soon).toBe(1);
    server.clock.advance(HOUR);
    await expect.poll(() => metric('cognomen_pepper_age_seconds'), soon).toBe(3600);
    expect(await metric('cognomen_pepper_rotation_under_way')).toBe(0);
  });
});

describe.each(ENGINES)('by its age, on %s, the pepper', (engine) => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    server = await startTestServer({ engine, sections: { lookup_pepper: 'rotation_days = 30' } });
    token = await server.token('@asks:sample.test');
    await bind(server, 'grace@sample.test', '@grace:sample.test');
  });
  afterAll(() => server.stop());

  test('is rotated every so many days, counted from the first start', async () => {
    const { lookup_pepper: first } = await hashDetails(server, token);
    await expect
      .poll(
        () => server.database.execute("select 1 from cognomen_state where key = 'lookup_peppers'"),
        soon,
      )
      .toHaveLength(1);
    server.clock.advance(29 * 24 * HOUR);
    await server.restart();
    expect((await hashDetails(server, token)).lookup_pepper).toBe(first);
    server.clock.advance(24 * HOUR);
    await expect
      .poll(async () => (await hashDetails(server, token)).lookup_pepper, soon)
      .not.toBe(first);
    const { lookup_pepper: second } = await hashDetails(server, token);
    expect(await lookup(server, token, 'grace@sample.test', second)).toBe('@grace:sample.test');
    for (const line of ['it has its age', 'A new pepper of lookups is in force']) {
      expect(server.logs.join('')).toContain(line);
    }
    expect(server.logs.join('')).not.toContain(second);
  });
});
