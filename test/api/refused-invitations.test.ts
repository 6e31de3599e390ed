import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { noticesWithin, startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
const DAY = 24 * HOUR;
const STEP = 200;
const PACE = { poll: 20 };
const homeserverTimings = noticesWithin(2000);
/** As Synapse answers while the invitation's event is still on its way. */
const NOT_INVITED = { errcode: 'M_FORBIDDEN', error: 'You are not invited to this room' };

let ca: TestCa;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());

const tokens = ({ invites = [] }: { invites?: { token: string }[] }) =>
  invites.map(({ token }) => token);

describe.each(ENGINES)('what a homeserver refuses, on %s,', (engine) => {
  let hs: TestHomeserver;
  let other: TestHomeserver;
  let server: TestServer;
  let number = 0;
  let address: string;
  let user: string;

  beforeAll(async () => {
    hs = await startHomeserver({ ca });
    other = await startHomeserver({ ca });
  });
  afterAll(async () => {
    await hs.close();
    await other.close();
  });
  beforeEach(async () => {
    number++;
    address = `grace${number}@sample.test`;
    user = `@grace${number}:${hs.serverName}`;
    server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      noticeTimings: PACE,
      homeserverTimings,
      sections: { general: `${hs.reachable}onbind.give_up_refused_after_hours = 2` },
    });
  });
  afterEach(async () => {
    hs.script(ONBIND, undefined);
    await server.stop();
  });

  const count = async (table: string) =>
    (await server.database.execute(`select 1 from ${table}`)).length;
  const owed = () => count('cognomen_notices');
  const pending = () => count('invite_tokens');
  const metrics = async () => (await get(`${server.metricsUrl}/metrics`)).text;
  const logged = (text: string) => server.logs.filter((line) => line.includes(text));
  /** The clock moves on until then. */
  const moving = (step: number, reached: () => Promise<boolean> | boolean) =>
    expect
      .poll(async () => {
        if (await reached()) return true;
        server.clock.advance(step);
        return false;
      })
      .toBe(true);
  /** Refuses the notices that it is asked to; the tokens of all it was asked. */
  function refuse(refused: (carried: readonly string[]) => boolean): string[][] {
    const asked: string[][] = [];
    hs.script(ONBIND, ({ body }, response) => {
      const carried = tokens(JSON.parse(body));
      asked.push(carried);
      if (refused(carried)) answerJson(response, 403, NOT_INVITED);
      else answerJson(response, 200, {});
    });
    return asked;
  }
  /** Whether everything was answered and noted, the clock standing still. */
  const settled = () =>
    expect
      .poll(async () => {
        const now = [server.clock.now()];
        const held = await server.database.execute(
          'select 1 from cognomen_notice_servers where claimed_by is not null or due_ts <= ?',
          now,
        );
        return held.length;
      })
      .toBe(0);

  test.each([1, 3])(
    'is offered again at once: the user is in after %i refusals, within seconds',
    async (refusals) => {
      const { token } = await invite(server, address);
      let left = refusals;
      const asked = refuse(() => left-- > 0);
      const begin = server.clock.now();
      await bind(server, address, user);
      await settled();
      while (asked.length <= refusals) {
        server.clock.advance(STEP);
        await settled();
      }
      expect(asked).toEqual(Array(refusals + 1).fill([token]));
      // 1 s, then 2 s, then 4 s, each up to a quarter more.
      const most = (2 ** refusals - 1) * 1250 + refusals * STEP;
      expect(server.clock.now() - begin).toBeLessThanOrEqual(most);
      await expect.poll(owed).toBe(0);
      expect(await pending()).toBe(0);
      expect(await metrics()).toMatch(
        new RegExp(`^cognomen_notices_total\\{outcome="refused"\\} ${refusals}$`, 'm'),
      );
    },
  );

  test('is offered again each time later, and no sooner', async () => {
    await invite(server, address);
    const asked = refuse(() => true);
    await bind(server, address, user);
    for (const [round, wait] of [1, 2, 4, 8].entries()) {
      await expect.poll(() => asked.length).toBe(round + 1);
      await settled();
      server.clock.advance(wait * 740);
      await settled();
      expect(asked.length).toBe(round + 1);
      server.clock.advance(wait * 520);
    }
    await expect.poll(() => asked.length).toBe(5);
  });

  test('holds up no other invitation: those it comes with are delivered at once', async () => {
    const invited: string[] = [];
    for (let count = 0; count < 5; count++) invited.push((await invite(server, address)).token);
    const [bad = '', ...good] = invited;
    const asked = refuse((carried) => carried.includes(bad));
    await bind(server, address, user);
    // The clock stands.
    await expect.poll(owed).toBe(1);
    await settled();
    expect(asked[0]).toEqual(invited);
    expect(asked.slice(1).toSorted()).toEqual(invited.map((token) => [token]).toSorted());
    expect(await server.database.execute('select token from invite_tokens')).toEqual([
      { token: bad },
    ]);

    await server.restart();
    await settled();
    expect(asked.length).toBe(6);
    await moving(STEP, () => asked.length === 7);
    expect(asked[6]).toEqual([bad]);
    hs.script(ONBIND, undefined);
    await moving(SECOND, async () => (await owed()) === 0);
    expect(hs.onbinds.flatMap(tokens).filter((token) => good.includes(token))).toEqual([]);
    expect(tokens(hs.onbinds.at(-1))).toEqual([bad]);
    expect(await pending()).toBe(0);
  });

  test('is not split by an answer that is not a refusal', async () => {
    const invited = [(await invite(server, address)).token, (await invite(server, address)).token];
    const asked: string[][] = [];
    hs.script(ONBIND, ({ body }, response) => {
      asked.push(tokens(JSON.parse(body)));
      const status = [500, 429, 404][asked.length - 1] ?? 200;
      answerJson(response, status, { errcode: 'M_UNRECOGNIZED', error: 'No' });
    });
    await bind(server, address, user);
    await moving(SECOND, async () => (await owed()) === 0);
    expect(asked.every((carried) => carried.length === 2)).toBe(true);
    expect(asked[0]).toEqual(invited);
  });

  test('is given up after the limit; the invitation stays, for the next bind', async () => {
    const { token } = await invite(server, address);
    const asked = refuse(() => true);
    await bind(server, address, user);
    const begin = server.clock.now();
    await moving(5 * 60 * SECOND, async () => (await owed()) === 0);
    expect(server.clock.now() - begin).toBeGreaterThanOrEqual(2 * HOUR);
    expect(asked.length).toBeGreaterThan(5);
    expect(logged('refused for too long').length).toBe(1);
    const text = await metrics();
    expect(text).toMatch(/^cognomen_notices_total\{outcome="given-up"\} 1$/m);
    expect(text).toMatch(/^cognomen_outbox_refused_notices 0$/m);
    expect(await pending()).toBe(1);
    await settled();
    expect(await count('cognomen_notice_servers')).toBe(0);

    hs.script(ONBIND, undefined);
    expect(tokens(await bind(server, address, user))).toEqual([token]);
    await expect.poll(owed).toBe(0);
    expect(tokens(hs.onbinds.at(-1))).toEqual([token]);
    expect(await pending()).toBe(0);
  });

  test('is offered again without invitations, too, up to the limit: it may have been a proxy', async () => {
    let refusals = 3;
    hs.script(ONBIND, (_request, response) => {
      if (refusals-- <= 0) return false;
      return response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>Not you</h1>');
    });
    await bind(server, address, user);
    await moving(SECOND, async () => (await owed()) === 0);
    expect(hs.onbinds.at(-1)).toMatchObject({ address, invites: [] });

    const asked = refuse(() => true);
    await bind(server, `x${address}`, user);
    await moving(5 * 60 * SECOND, async () => (await owed()) === 0);
    expect(asked.length).toBeGreaterThan(5);
    expect(logged('refused for too long').length).toBe(1);
  });

  test('keeps the homeserver out of trouble: others of it are delivered meanwhile', async () => {
    const { token } = await invite(server, address);
    const asked = refuse((carried) => carried.includes(token));
    await bind(server, address, user);
    await expect.poll(() => asked.length).toBe(1);
    await settled();
    expect(
      await server.database.execute('select server_name, failures from cognomen_notice_servers'),
    ).toEqual([{ server_name: hs.serverName, failures: 0 }]);
    // The clock stands: nothing is due but these.
    for (let count = 0; count < 5; count++) {
      await bind(server, `${count}${address}`, user);
      await expect.poll(() => asked.length).toBe(count + 2);
    }
    await expect.poll(owed).toBe(1);
    // What it took since is no reason to forget why it refused that one.
    await settled();
    expect(await server.database.execute('select failure from cognomen_notice_servers')).toEqual([
      { failure: expect.stringMatching(/^refused: /) },
    ]);
    const text = await metrics();
    expect(text).toMatch(/^cognomen_outbox_notices 1$/m);
    expect(text).toMatch(/^cognomen_outbox_refused_notices 1$/m);
    expect(text).toMatch(/^cognomen_outbox_oldest_seconds 0$/m);
    expect(text).not.toMatch(/outcome="postponed"/);
  });

  test('is so many a second and no more, however many there are; others go first', async () => {
    const bad = 150;
    const rows = Array.from({ length: bad }, (_, index) => [address, `bad${index}`]);
    await server.database.execute(
      `insert into invite_tokens (medium, address, room_id, sender, token, received_ts) values ${rows
        .map(() => `('email', ?, '!old:x.test', '@old:x.test', ?, ${server.clock.now() / 1000})`)
        .join(', ')}`,
      rows.flat(),
    );
    const asked = refuse((carried) => carried.length > 0);
    await bind(server, address, user);
    const notices = bad / 50;
    const perSecond = 20;
    // All of them in a few notices, then each by itself.
    await expect.poll(() => asked.length).toBe(notices + perSecond);
    await settled();
    for (let second = 1; second <= 3; second++) {
      server.clock.advance(SECOND);
      await expect.poll(() => asked.length).toBe(notices + (second + 1) * perSecond);
      await settled();
      expect(asked.length).toBe(notices + (second + 1) * perSecond);
    }
    const before = asked.length;
    await bind(server, `x${address}`, user);
    await bind(server, `y${address}`, `@grace:${other.serverName}`);
    expect(await other.nextOnbind()).toMatchObject({ address: `y${address}` });
    await expect.poll(() => asked.slice(before)).toEqual([[]]);
    await expect.poll(owed).toBe(bad);
    expect(await metrics()).toMatch(/^cognomen_outbox_refused_notices 150$/m);
    // One that is refused just now is not offered again only after all the others.
    for (let second = 0; second < 10; second++) {
      server.clock.advance(SECOND);
      await settled();
    }
    const { token } = await invite(server, `z${address}`);
    await bind(server, `z${address}`, user);
    const offered = () => asked.filter((carried) => carried.includes(token)).length;
    await expect.poll(offered).toBe(1);
    for (let second = 0; second < 3; second++) {
      await settled();
      server.clock.advance(SECOND);
    }
    await settled();
    expect(offered()).toBeGreaterThan(1);
    // Nobody's turn comes never.
    const alone = () => new Set(asked.filter((carried) => carried.length === 1).flat());
    await moving(SECOND, () => rows.every(([, bad = '']) => alone().has(bad)));
    // Once it takes them again they need not be spread.
    const begin = server.clock.now();
    refuse(() => false);
    await moving(30 * SECOND, async () => (await owed()) === 0);
    expect(server.clock.now() - begin).toBeLessThan(HOUR);
    expect(await pending()).toBe(0);
  });

  test.each([
    ['Retry-After', { 'retry-after': '90' }, {}, 90],
    ['the word of old', {}, { retry_after_ms: 90_000 }, 90],
    ['any number, but for an hour at most', { 'retry-after': '999999999' }, {}, 3600],
  ])(
    'with a 429 leaves the homeserver alone for as long as it says, by %s',
    async (_name, headers, more, seconds) => {
      await invite(server, address);
      let asked = 0;
      hs.script(ONBIND, (_request, response) => {
        if (asked++ > 0) return false;
        const body = JSON.stringify({ errcode: 'M_LIMIT_EXCEEDED', error: 'Slowly', ...more });
        return response
          .writeHead(429, { 'content-type': 'application/json', ...headers })
          .end(body);
      });
      await bind(server, address, user);
      await expect.poll(() => asked).toBe(1);
      await settled();
      server.clock.advance((seconds - 1) * SECOND);
      await settled();
      expect(asked).toBe(1);
      server.clock.advance(SECOND);
      await expect.poll(owed).toBe(0);
      expect(asked).toBe(2);
    },
  );
});

describe.each(ENGINES)('something new, on %s,', (engine) => {
  test('has its turn at once, though what was refused is waiting for its own', async () => {
    const hs = await startHomeserver({ ca });
    const server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      // Nobody looks for what is to be offered again.
      noticeTimings: { ...PACE, poll: HOUR },
      homeserverTimings,
      sections: { general: hs.reachable },
    });
    try {
      let asked = 0;
      hs.script(ONBIND, (_request, response) => {
        asked++;
        answerJson(response, 403, NOT_INVITED);
      });
      await bind(server, 'grace@sample.test', `@grace:${hs.serverName}`);
      const waiting = () =>
        server.database.execute(
          'select 1 from cognomen_notice_servers where troubled = 1 and claimed_by is null',
        );
      await expect.poll(async () => (await waiting()).length).toBe(1);
      expect(asked).toBe(1);
      server.clock.advance(10 * SECOND);
      hs.script(ONBIND, undefined);
      await bind(server, 'ada@sample.test', `@ada:${hs.serverName}`);
      expect(await hs.nextOnbind()).toMatchObject({ address: 'ada@sample.test' });
    } finally {
      await server.stop();
      await hs.close();
    }
  });
});

describe.each(ENGINES)('an invitation given up, on %s,', (engine) => {
  test('expires as any other', async () => {
    const hs = await startHomeserver({ ca });
    const server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      noticeTimings: PACE,
      homeserverTimings,
      sections: {
        general: `${hs.reachable}onbind.give_up_refused_after_hours = 0`,
        email: 'email.invite.expiry_days = 3',
      },
    });
    try {
      await invite(server, 'grace@sample.test');
      hs.script(ONBIND, (_request, response) => answerJson(response, 403, NOT_INVITED));
      await bind(server, 'grace@sample.test', `@grace:${hs.serverName}`);
      await expect
        .poll(() => server.database.execute('select id from cognomen_notices'))
        .toEqual([]);
      server.clock.advance(4 * DAY);
      const again = await bind(server, 'grace@sample.test', `@grace:${hs.serverName}`);
      expect(again).not.toHaveProperty('invites');
      await server.restart();
      await expect.poll(() => server.database.execute('select id from invite_tokens')).toEqual([]);
    } finally {
      await server.stop();
      await hs.close();
    }
  });
});
