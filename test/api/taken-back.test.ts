import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, request } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { unbind } from '../support/replicating-servers.ts';
import { noticesWithin, startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const HOUR = 60 * 60 * 1000;
const GENERAL = 'ip.whitelist = 127.0.0.0/8, ::1\nonbind.give_up_after_days = 1000';
const TABLES = [
  'cognomen_notices',
  'cognomen_notice_invites',
  'cognomen_notice_servers',
  'invite_tokens',
];
const PACE = { poll: 20 };
const homeserverTimings = noticesWithin(10_000);

let ca: TestCa;
let hs: TestHomeserver;
let other: TestHomeserver;
beforeAll(async () => {
  ca = await createTestCa();
});
afterAll(() => ca.remove());
beforeEach(async () => {
  hs = await startHomeserver({ ca });
  other = await startHomeserver({ ca });
});
afterEach(async () => {
  await hs.close();
  await other.close();
});

const tokens = ({ invites = [] }: { invites?: { token: string }[] }) =>
  invites.map(({ token }) => token);

/** Holds requests until they are let go, with a status each; the bodies that came. */
function hold() {
  // biome-ignore lint/suspicious/noExplicitAny: notices are asserted on member by member
  const asked: any[] = [];
  const held: ((status: number) => void)[] = [];
  hs.script(ONBIND, ({ body }, response) => {
    asked.push(JSON.parse(body));
    return new Promise<void>((resolve) => {
      held.push((status) => {
        answerJson(response, status, status === 200 ? {} : { errcode: 'M_FORBIDDEN', error: 'No' });
        resolve();
      });
    });
  });
  const letGo = (status: number) => {
    for (const answer of held.splice(0)) answer(status);
  };
  return { asked, letGo };
}

describe.each(ENGINES)('of a binding that was taken back, on %s,', (engine) => {
  let server: TestServer;
  let number = 0;
  let address: string;
  let user: string;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      noticeTimings: PACE,
      homeserverTimings,
      sections: { general: GENERAL },
    });
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    number++;
    address = `grace${number}@sample.test`;
    user = `@grace${number}:${hs.serverName}`;
  });
  afterEach(async () => {
    for (const table of TABLES) await server.database.execute(`delete from ${table}`);
  });

  const rows = async (table: string) =>
    (await server.database.execute(`select 1 from ${table}`)).length;
  const owed = () => rows('cognomen_notices');
  const pending = () => rows('invite_tokens');
  /** Whatever was to be told by then has been. */
  const untilQuiet = () =>
    expect
      .poll(() => {
        server.clock.advance(HOUR);
        return rows('cognomen_notice_servers');
      })
      .toBe(0);
  /** With the homeserver down. */
  async function bindInVain(): Promise<void> {
    hs.script(ONBIND, (_request, response) => answerJson(response, 503, {}));
    const before = hs.requests.length;
    await bind(server, address, user);
    await expect.poll(() => hs.requests.length).toBe(before + 1);
    hs.script(ONBIND, undefined);
  }
  const session = async () => {
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    const form = (path: string, fields: Record<string, string>) =>
      request(`${v1}${path}`, {
        method: 'POST',
        headers: [['content-type', 'application/x-www-form-urlencoded']],
        body: new URLSearchParams(fields).toString(),
      });
    const client_secret = `secret${number}`;
    const { sid } = (
      await form('/validate/email/requestToken', {
        email: address,
        client_secret,
        send_attempt: '1',
      })
    ).json;
    const mail = await server.smtp.nextMail();
    const token = /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1] ?? '';
    await form('/validate/email/submitToken', { sid, client_secret, token });
    return { sid, client_secret };
  };

  test.each(['the internal API', 'a session'])(
    'by %s, no homeserver is told; its invitations are for who binds it next',
    async (by) => {
      const invited = [await invite(server, address), await invite(server, address)];
      await bindInVain();
      expect(await owed()).toBe(1);
      if (by === 'a session') {
        const threepid = { medium: 'email', address };
        await request(`${server.url}/_matrix/identity/v2/3pid/unbind`, {
          method: 'POST',
          headers: [['content-type', 'application/json']],
          body: JSON.stringify({ threepid, mxid: user, ...(await session()) }),
        });
      } else await unbind(server, address, user);
      expect(await owed()).toBe(0);
      expect(await rows('cognomen_notice_invites')).toBe(0);
      expect(await pending()).toBe(2);
      const told = hs.requests.length;
      await untilQuiet();
      expect(hs.requests.length).toBe(told);
      const metrics = (await get(`${server.metricsUrl}/metrics`)).text;
      expect(metrics).toMatch(/^cognomen_notices_total\{outcome="withdrawn"\} [1-9]/m);

      await bind(server, address, `@heir:${other.serverName}`);
      expect(tokens(await other.nextOnbind())).toEqual(invited.map(({ token }) => token));
    },
  );

  test('nothing that was refused is offered again', async () => {
    await invite(server, address);
    await invite(server, address);
    let asked = 0;
    hs.script(ONBIND, (_request, response) => {
      asked++;
      answerJson(response, 403, { errcode: 'M_FORBIDDEN', error: 'No' });
    });
    await bind(server, address, user);
    await expect.poll(() => asked).toBe(3);
    await expect.poll(owed).toBe(2);
    await unbind(server, address, user);
    expect(await owed()).toBe(0);
    expect(await pending()).toBe(2);
    await untilQuiet();
    expect(asked).toBe(3);
  });

  test('what another user’s unbind does not concern is told', async () => {
    await bindInVain();
    await unbind(server, address, `@someone:${hs.serverName}`);
    await unbind(server, `x${address}`, user);
    expect(await owed()).toBe(1);
    await untilQuiet();
    expect(hs.onbinds.at(-1)).toMatchObject({ address, mxid: user });
  });

  test('a binding to another user takes the former back: only the new homeserver is told', async () => {
    const { token } = await invite(server, address);
    await bindInVain();
    const told = hs.requests.length;
    const rebound = await bind(server, address, `@new:${other.serverName}`);
    expect(tokens(rebound)).toEqual([token]);
    expect(await other.nextOnbind()).toEqual(rebound);
    await untilQuiet();
    expect(hs.requests.length).toBe(told);
    expect(await pending()).toBe(0);
  });

  test('a binding to the same user again is told once, as it is now', async () => {
    const { token } = await invite(server, address);
    await bindInVain();
    const again = await bind(server, address, user);
    expect(await owed()).toBe(1);
    const told = hs.requests.length;
    await untilQuiet();
    expect(hs.requests.length).toBe(told + 1);
    expect(hs.onbinds.at(-1)).toEqual(again);
    expect(tokens(again)).toEqual([token]);
  });

  test.each([
    ['took it, the invitations are delivered', 200, 0],
    ['could not, nothing is tried again, and the invitations are pending', 503, 2],
    ['refused it, nothing is offered again, and the invitations are pending', 403, 2],
  ])('when the homeserver is just being told and %s', async (_name, status, left) => {
    await invite(server, address);
    await invite(server, address);
    const { asked, letGo } = hold();
    await bind(server, address, user);
    await expect.poll(() => asked.length).toBe(1);
    await unbind(server, address, user);
    expect(await owed()).toBe(0);
    letGo(status);
    await expect.poll(pending).toBe(left);
    await untilQuiet();
    expect(asked.length).toBe(1);
    expect(await owed()).toBe(0);
    expect(await rows('cognomen_notice_invites')).toBe(0);
    expect(await pending()).toBe(left);
  });

  test('invitations under way to a former user and taken there are not given to the next', async () => {
    await invite(server, address);
    const { asked, letGo } = hold();
    await bind(server, address, user);
    await expect.poll(() => asked.length).toBe(1);
    let askedToo = 0;
    other.script(ONBIND, (_request, response) => {
      askedToo++;
      answerJson(response, 503, {});
    });
    await bind(server, address, `@next:${other.serverName}`);
    await expect.poll(() => askedToo).toBe(1);
    letGo(200);
    await expect.poll(pending).toBe(0);
    other.script(ONBIND, undefined);
    await untilQuiet();
    expect(other.onbinds.at(-1)).toMatchObject({ mxid: `@next:${other.serverName}`, invites: [] });
  });

  test('what a dispatcher has read but not sent yet is not sent', async () => {
    const { asked, letGo } = hold();
    const names = Array.from({ length: 10 }, (_, index) => `${index}${address}`);
    for (const name of names) await bind(server, name, user);
    // The first tries it out; then it reads many and sends four.
    await expect.poll(() => asked.length).toBe(1);
    letGo(200);
    await expect.poll(() => asked.length).toBe(5);
    const waiting = names.filter((name) => !asked.some((notice) => notice.address === name));
    for (const name of waiting) await unbind(server, name, user);
    const told = asked.length;
    letGo(200);
    await untilQuiet();
    expect(asked.length).toBe(told);
  });

  test('a Sydent on the same database took it back: no homeserver is told', async () => {
    const { token } = await invite(server, address);
    await bindInVain();
    const told = hs.requests.length;
    for (const table of ['local', 'global']) {
      await server.database.execute(
        `delete from ${table}_threepid_associations where address = ?`,
        [address],
      );
    }
    await untilQuiet();
    expect(hs.requests.length).toBe(told);
    expect(await owed()).toBe(0);
    expect(tokens(await bind(server, address, user))).toEqual([token]);
  });
});

describe('processes on one PostgreSQL database', () => {
  test('neither lose nor repeat invitations, nor tell of what was taken back, while binds and unbinds race', async () => {
    const options = {
      engine: 'postgres',
      trustedCa: ca.pem,
      noticeTimings: PACE,
      homeserverTimings,
    } as const;
    const first = await startTestServer({ ...options, sections: { general: GENERAL } });
    const second = await startTestServer({
      ...options,
      sections: { general: GENERAL, db: first.database.config },
    });
    const taken = new Set<string>();
    let turn = 0;
    hs.script(ONBIND, ({ body }, response) => {
      const status = [200, 503, 403][turn++ % 3] ?? 200;
      if (status === 200) for (const token of tokens(JSON.parse(body))) taken.add(token);
      answerJson(response, status, status === 200 ? {} : { errcode: 'M_FORBIDDEN', error: 'No' });
    });
    const ticking = setInterval(() => {
      first.clock.advance(100);
      second.clock.advance(100);
    }, 10);
    try {
      const names = Array.from({ length: 12 }, (_, index) => `race${index}@sample.test`);
      const invited: string[] = [];
      for (const name of names) {
        for (let count = 0; count < 3; count++) invited.push((await invite(first, name)).token);
      }
      const user = `@race:${hs.serverName}`;
      for (let round = 0; round < 4; round++) {
        await Promise.all(
          names.flatMap((name) => [bind(first, name, user), unbind(second, name, user)]),
        );
        await Promise.all(names.map((name) => bind(second, name, user)));
      }
      await Promise.all(names.map((name) => unbind(first, name, user)));
      const owed = () => first.database.execute('select id from cognomen_notices');
      expect(await owed()).toEqual([]);
      const servers = () => first.database.execute('select 1 from cognomen_notice_servers');
      await expect.poll(servers).toEqual([]);
      const told = turn;
      first.clock.advance(HOUR);
      second.clock.advance(HOUR);
      await bind(first, 'last@sample.test', `@last:${other.serverName}`);
      await other.nextOnbind();
      expect(turn).toBe(told);
      expect(await owed()).toEqual([]);
      expect(await first.database.execute('select 1 from cognomen_notice_invites')).toEqual([]);
      const pending = (await first.database.execute('select token from invite_tokens')) as {
        token: string;
      }[];
      const left = new Set(pending.map(({ token }) => token));
      expect(invited.filter((token) => left.has(token) === taken.has(token))).toEqual([]);
    } finally {
      clearInterval(ticking);
      await second.stop();
      await first.stop();
    }
  });
});
