import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { request } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const HOUR = 60 * 60 * 1000;
const [EVE, ADA] = ['@eve:evil.test', '@ada:sample.test'];

describe.each(ENGINES)('whom an operator keeps out for a while, on %s,', (engine) => {
  let server: TestServer;
  let api: AdminClient;
  let asked = 0;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: {
        admin: WITH_ADMIN,
        general: 'lookup.trusted_homeservers = own.test\nlimits.trusted_networks = 203.0.113.0/24',
        http: 'obey_x_forwarded_for = true\ntrusted_proxies = 127.0.0.1, 192.0.2.77',
      },
    });
    api = adminClient(server, (await createAdminToken(file(), 'operator')).token);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    for (const { id } of await blocked()) await api.post('limits/unblock', { id });
  });

  const blocked = async () => (await api.get('limits/blocks')).json.items;
  const block = (whom: string, hours: string | number = 24) =>
    api.post('limits/block', { whom, hours });
  const post = async (path: string, from: string, body: object, token?: string) =>
    request(`${server.url}/_matrix/identity${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-forwarded-for': from,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
  /** Asks for a mail, as that user from that address. */
  async function ask(user: string, from: string) {
    asked++;
    const body = { email: `a${asked}@sample.test`, client_secret: 's', send_attempt: 1 };
    const token = await server.token(user);
    return post('/v2/validate/email/requestToken', from, body, token);
  }
  const status = async (user: string, from: string) => (await ask(user, from)).status;

  test('is a network, on every process within seconds, until its time is over', async () => {
    expect(await status(ADA, '198.51.100.7')).toBe(200);
    expect((await block('198.51.100.0/24', 1)).json).toMatchObject({
      kind: 'network',
      what: '198.51.100.0/24',
    });
    await expect.poll(() => status(ADA, '198.51.100.7')).toBe(429);
    const refused = await ask(ADA, '198.51.100.7');
    expect(refused.json).toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
      retry_after_ms: expect.any(Number),
    });
    expect(refused.json.retry_after_ms).toBeLessThanOrEqual(HOUR);
    expect(await status(ADA, '198.51.101.7')).toBe(200);
    server.clock.advance(HOUR + 1);
    expect(await status(ADA, '198.51.100.7')).toBe(200);
    expect(await blocked()).toEqual([]);
  });

  test('is an IPv6 network as limits count it, and not the larger ones around it', async () => {
    expect((await block('2001:db8:1:2::9')).json.what).toBe('2001:db8:1:2::/64');
    // However it is written, it is one.
    await block('2001:DB8:1:2::8', 1);
    await block('198.18.7.7/24');
    await block('198.18.7.0/24');
    expect(await blocked()).toHaveLength(2);
    await expect.poll(() => status(ADA, '2001:db8:1:2:3::1')).toBe(429);
    expect(await status(ADA, '2001:db8:1:3::1')).toBe(200);
  });

  test('is an account or a homeserver: no mails, lookups and invitations; what takes back works', async () => {
    const token = await server.token(EVE);
    await block('EVIL.test');
    await expect.poll(() => status(EVE, '198.51.100.1')).toBe(429);
    expect(await status('@other:evil.test', '198.51.100.1')).toBe(429);
    expect(await status(ADA, '198.51.100.1')).toBe(200);
    const lookup = { addresses: ['a@sample.test email'], algorithm: 'none', pepper: 'x' };
    const { lookup_pepper: pepper } = (
      await request(`${server.url}/_matrix/identity/v2/hash_details`, {
        headers: { authorization: `Bearer ${token}` },
      })
    ).json;
    expect((await post('/v2/lookup', '198.51.100.1', { ...lookup, pepper }, token)).status).toBe(
      429,
    );
    // By version 1 anybody says who invites.
    const invitation = { ...INVITE, sender: EVE, address: 'guest@sample.test' };
    expect((await post('/api/v1/store-invite', '198.51.100.1', invitation)).status).toBe(429);
    expect((await post('/v2/account/logout', '198.51.100.1', {}, token)).status).toBe(200);

    const [one] = await blocked();
    expect((await api.post('limits/unblock', { id: one.id })).status).toBe(200);
    await expect.poll(() => status(EVE, '198.51.100.1')).toBe(200);
    expect((await api.post('limits/unblock', { id: one.id })).status).toBe(404);

    await block(EVE);
    await expect.poll(() => status(EVE, '198.51.100.1')).toBe(429);
    expect(await status('@other:evil.test', '198.51.100.1')).toBe(200);
  });

  test('is a network by its name in the log, for the week that it has it', async () => {
    const named = () => new Set(server.logs.flatMap((line) => JSON.parse(line).client ?? []));
    const before = named();
    await ask(ADA, '198.51.100.99');
    const [name, ...others] = [...named()].filter((one) => !before.has(one));
    expect([name, others]).toEqual([expect.stringMatching(/^[\w-]{12}$/), []]);
    const { json } = await block(name, 168);
    expect(json).toMatchObject({ kind: 'name', what: name });
    expect(json.until - json.since).toBeLessThanOrEqual(168 * HOUR);
    expect(new Date(json.until).getUTCDay()).toBe(1);
    await expect.poll(() => status(ADA, '198.51.100.99')).toBe(429);
    expect(await status(ADA, '198.51.100.98')).toBe(200);
  });

  test('is nobody who would be meant by mistake, and it says why', async () => {
    for (const [whom, why] of [
      ['127.0.0.1', 'no client of a public service'],
      ['::1', 'no client of a public service'],
      ['10.1.0.0/16', 'no client of a public service'],
      ['::ffff:127.0.0.1', 'no client of a public service'],
      ['::ffff:0.0.0.0/96', 'as a network of IPv4'],
      ['203.0.113.9', 'limits.trusted_networks'],
      ['203.0.0.0/16', 'limits.trusted_networks'],
      ['192.0.2.0/24', 'trusted_proxies'],
      ['0.0.0.0/0', 'too wide'],
      ['198.0.0.0/15', 'too wide'],
      ['2001::/16', 'too wide'],
      ['::/0', 'too wide'],
      ['OWN.test', 'the configuration trusts it'],
      ['nonsense', 'no IP address'],
      ['', 'missing'],
      ['198.51.100.0/33', 'no IP address'],
    ] as const) {
      const { status, json } = await block(whom);
      expect([whom, status, json.error]).toEqual([whom, 400, expect.stringContaining(why)]);
    }
    for (const hours of [0, 169, -1, 'soon']) {
      expect([hours, (await block('198.51.100.1', hours)).status]).toEqual([hours, 400]);
    }
    expect(await blocked()).toEqual([]);
  });

  test('has an id that no other gets', async () => {
    const { id } = (await block('one.test')).json;
    await api.post('limits/unblock', { id });
    server.clock.advance(1);
    expect((await block('two.test')).json.id).toBeGreaterThan(id);
  });

  test('is in the trail, shown by commands, and bounded in number', async () => {
    await block('evil.test');
    await block('evil.test', 1);
    expect(await blocked()).toHaveLength(1);
    const { output } = await runCommand('limits', 'blocks', '-c', file());
    expect(output).toMatch(/^\d+ {2}homeserver evil\.test {2}until 20\S+Z\n$/);
    expect((await api.get('audit/list', { newest: 'true' })).json.items).toContainEqual(
      expect.objectContaining({ action: 'limits block', about: 'evil.test', outcome: 'done' }),
    );
    const viewer = adminClient(server, (await createAdminToken(file(), 'viewer')).token);
    expect((await viewer.post('limits/block', { whom: 'evil.test' })).status).toBe(403);
    expect((await viewer.get('limits/blocks')).status).toBe(200);

    const all = Array.from({ length: 200 }, (_, id) => ({
      id,
      kind: 'homeserver',
      what: `hs${id}.test`,
      since: 1,
      until: 9e12,
    }));
    await server.database.execute("update cognomen_state set value = ? where key = 'blocks'", [
      JSON.stringify(all),
    ]);
    expect((await block('one.more.test')).status).toBe(409);
    await server.database.execute("update cognomen_state set value = '[]' where key = 'blocks'");
  });
});

test.each(ENGINES)('who was kept out is forgotten once that has ended, on %s', async (engine) => {
  const server = await startTestServer({ engine, now: Date.now() });
  try {
    const [file = ''] = server.config.files;
    await runCommand('limits', 'block', 'one.test', '--hours', '1', '-c', file);
    const stored = async () =>
      JSON.stringify(
        await server.database.execute("select value from cognomen_state where key = 'blocks'"),
      );
    expect(await stored()).toContain('one.test');
    server.clock.advance(2 * HOUR);
    await server.restart();
    await expect.poll(stored).not.toContain('one.test');
  } finally {
    await server.stop();
  }
});
