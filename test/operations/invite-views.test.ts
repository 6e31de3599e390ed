import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInvitationTally } from '../../src/identity/invitations/invitation-tally.ts';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { invite } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;
const [TEA, SPAM] = ['!tea:sample.test', '!spam:other.test'];

describe.each(ENGINES)('invitations, looked at as a whole on %s,', (engine) => {
  let server: TestServer;
  let api: AdminClient;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    server = await startTestServer({ engine, now: Date.now(), sections: { admin: WITH_ADMIN } });
    api = adminClient(server, (await createAdminToken(file(), 'operator')).token);
    server.clock.advance(-40 * DAY);
    await invite(server, 'old@sample.test', { room_id: SPAM, sender: '@eve:OTHER.test' });
    server.clock.advance(40 * DAY);
    await invite(server, 'a@sample.test', { room_name: 'Cheap Pills' });
    await invite(server, 'b@sample.test');
    await invite(server, 'c@sample.test', { room_id: SPAM, sender: '@eve:other.test' });
    // One that was delivered, and stays.
    await server.database.execute(
      'insert into invite_tokens (medium, address, room_id, sender, token, received_ts, sent_ts) values (?, ?, ?, ?, ?, ?, ?)',
      [
        'email',
        'd@sample.test',
        SPAM,
        '@eve:other.test',
        't',
        Math.floor(server.clock.now() / 1000),
        5,
      ],
    );
  });
  afterAll(() => server.stop());

  const by = async (grouping: string, more: Record<string, string> = {}) =>
    (await api.get('invites/by', { grouping, ...more })).json;
  const tried = async (rules: Record<string, string>) =>
    (await api.get('invites/would-block', rules)).json;

  test('are counted by age, inviter, homeserver and room', async () => {
    const of = async (grouping: string) =>
      (await by(grouping)).groups.map((group: { of: string; pending: number }) => [
        group.of,
        group.pending,
      ]);
    expect(await of('age')).toEqual([
      ['day', 3],
      ['quarter', 1],
    ]);
    expect(new Map(await of('inviter'))).toEqual(
      new Map([
        ['@ada:sample.test', 2],
        ['@eve:other.test', 1],
        ['@eve:OTHER.test', 1],
      ]),
    );
    expect(new Map(await of('homeserver'))).toEqual(
      new Map([
        ['sample.test', 2],
        ['other.test', 2],
      ]),
    );
    expect(new Map(await of('room'))).toEqual(
      new Map([
        [TEA, 2],
        [SPAM, 2],
      ]),
    );
    expect(await by('room', { limit: '1' })).toMatchObject({
      pending: 4,
      left_out: 2,
      exact: true,
      groups: [{ pending: 2, oldest: expect.any(Number) }],
    });
    expect((await api.get('invites/by', { grouping: 'colour' })).status).toBe(400);
    const { output } = await runCommand('invites', 'by', 'age', '-c', file());
    expect(output).toMatch(/^3 {2}day {2}the oldest of /);
  });

  test('are tried on block lists, of the last week and as the server would', async () => {
    expect(await tried({ homeservers: 'OTHER.test' })).toMatchObject({
      days: 7,
      invitations: 4,
      blocked: 2,
      by: { homeserver: 2, room: 0, keyword: 0 },
    });
    expect(await tried({ rooms: `!none:sample.test\n ${TEA}` })).toMatchObject({
      blocked: 2,
      examples: [
        { sender: '@ada:sample.test', room_id: TEA, by: 'room' },
        { sender: '@ada:sample.test', room_id: TEA, by: 'room' },
      ],
    });
    const words = await tried({ keywords: 'cheap pills' });
    expect(words).toMatchObject({ texts: 3, blocked: 1, by: { keyword: 1 } });
    expect(words.examples).toMatchObject([{ by: 'keyword', room_id: TEA }]);
    expect(await tried({})).toMatchObject({ blocked: 0, examples: [] });
    const much = Array.from({ length: 101 }, (_, at) => `hs${at}.test`).join();
    expect((await api.get('invites/would-block', { homeservers: much })).status).toBe(400);
    expect((await api.get('invites/would-block', { rooms: 'x'.repeat(256) })).status).toBe(400);
    const args = ['--rooms', TEA, '--homeservers', 'other.test', '-c', file()];
    const { output } = await runCommand('invites', 'would-block', ...args);
    expect(output).toMatch(/^4 of 4 invitations of the last 7 days\n/);
    // It is a look at people, and so in the trail.
    expect((await api.get('audit/list', { newest: 'true' })).json.items).toContainEqual(
      expect.objectContaining({ action: 'invites would-block', outcome: 'done' }),
    );
  });
});

test('with more groups than can be kept the largest are known, and it says so', () => {
  const tally = createInvitationTally('inviter', 1000, 10);
  const mail = undefined;
  const of = (sender: string) => ({
    sender,
    roomId: '!r',
    receivedAt: 1,
    deliveredAt: undefined,
    mail,
  });
  for (let i = 0; i < 100; i++) {
    tally.see([of('@many:a.test'), of('@many:a.test'), of(`@one${i}:a.test`)]);
  }
  expect(tally.pending).toBe(300);
  expect(tally.isExact).toBe(false);
  expect(tally.largest(1)).toEqual([{ of: '@many:a.test', pending: 200, oldest: 1 }]);
  expect(tally.largest(1000).length).toBeLessThanOrEqual(20);
});
