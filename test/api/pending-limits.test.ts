import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postJson, type TestAnswer } from '../support/http.ts';
import { bind, INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** What is limited here is all that is to be met. */
const NO_MAIL_LIMITS = `email.ratelimit_recipient.burst = 0
mail.recipient_share.burst = 0`;

const expectLimited = ({ status, json, headers }: TestAnswer, limit: string) => {
  expect([status, json.errcode]).toEqual([429, 'M_LIMIT_EXCEEDED']);
  expect(json.error).toContain(limit);
  expect(json.retry_after_ms).toBeGreaterThan(0);
  expect(Number(headers.get('retry-after'))).toBe(Math.ceil(json.retry_after_ms / 1000));
};

describe.each(ENGINES)('with limits on %s', (engine) => {
  let server: TestServer;
  const start = (enforce: string) =>
    startTestServer({
      engine,
      sections: {
        general: `limits.enforce = ${enforce}`,
        limits: `${NO_MAIL_LIMITS}
invites.address.burst = 4
invites.sender.burst = 6
bind.session.burst = 10`,
      },
    });
  beforeAll(async () => {
    server = await start('true');
  });
  afterAll(() => server.stop());

  const root = (of: TestServer, version: string) => `${of.url}/_matrix/identity/${version}`;
  async function invite(address: string, sender: string, token?: string, of = server) {
    const version = token === undefined ? 'api/v1' : 'v2';
    const url = `${root(of, version)}/store-invite`;
    const answer = await postJson(url, { ...INVITE, address, sender }, token);
    of.clock.advance(1000);
    return answer;
  }
  const tokensOf = ({ invites = [] }: { invites?: { token: string }[] }) =>
    invites.map(({ token }) => token);
  const metrics = async (of = server) => (await get(`${of.metricsUrl}/metrics`)).text;

  test('a flood of version 1 pushes its own out, and an account’s invitation arrives', async () => {
    const address = 'grace@sample.test';
    const token = await server.token('@ada:sample.test');
    const honest = await invite(address, '@ada:sample.test', token);
    expect(honest.status).toBe(200);
    const flood: TestAnswer[] = [];
    for (let count = 0; count < 8; count++) {
      flood.push(await invite(address, `@made-up${count}:x.test`));
    }
    // The attacker may claim to be whoever invited before.
    flood.push(await invite(address, '@ada:sample.test'));
    expect(flood.map(({ status }) => status)).toEqual(Array(9).fill(200));
    const [gone] = flood;
    const key = gone?.json.public_keys[1].public_key;
    const v1 = root(server, 'api/v1');
    expect((await get(`${v1}/pubkey/ephemeral/isvalid`, { public_key: key })).json.valid).toBe(
      true,
    );
    const signed = await postJson(`${v1}/sign-ed25519`, {
      mxid: '@grace:sample.test',
      token: gone?.json.token,
      private_key: Buffer.alloc(32, 1).toString('base64url'),
    });
    expect([signed.status, signed.json.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    const bound = await bind(server, address, '@grace:sample.test');
    const left = flood.slice(-3).map(({ json }) => json.token);
    expect(tokensOf(bound)).toEqual([honest.json.token, ...left]);
    const text = await metrics();
    expect(text).toContain(
      'cognomen_limit_exceeded_total{limit="invites.address",enforced="true"} 6',
    );
    expect(text).toContain('cognomen_invitations_given_way_total 6');
    const logged = server.logs.filter((line) => line.includes('gave way to a newer one'));
    expect(logged).toHaveLength(6);
    expect(logged.join('')).not.toContain(gone?.json.token);
  });

  test('where only accounts’ invitations are pending, another is refused before it is mailed', async () => {
    const address = 'full@sample.test';
    const eve = await server.token('@eve:x.test');
    const ada = await server.token('@ada:sample.test');
    const first = await invite(address, '@eve:x.test', eve);
    for (let count = 0; count < 3; count++) await invite(address, '@eve:x.test', eve);
    const mails = server.smtp.mails.length;
    expectLimited(await invite(address, '@ada:sample.test', ada), 'invites.address');
    expectLimited(await invite(address, '@made-up:x.test'), 'invites.address');
    expect(server.smtp.mails.length).toBe(mails);
    const own = await invite(address, '@eve:x.test', eve);
    expect(own.status).toBe(200);
    const bound = tokensOf(await bind(server, address, '@full:sample.test'));
    expect(bound).toHaveLength(4);
    expect(bound).toContain(own.json.token);
    expect(bound).not.toContain(first.json.token);
  });

  test('claims to be somebody use up nothing of theirs', async () => {
    const bob = await server.token('@bob:sample.test');
    const honest = await invite('first@sample.test', '@bob:sample.test', bob);
    const claimed: TestAnswer[] = [];
    for (let count = 0; count < 8; count++) {
      claimed.push(await invite(`victim${count}@sample.test`, '@bob:sample.test'));
    }
    const found = async (address: string) =>
      tokensOf(await bind(server, address, '@whoever:sample.test'));
    expect(await found('first@sample.test')).toEqual([honest.json.token]);
    expect(await found('victim0@sample.test')).toEqual([]);
    expect(await found('victim1@sample.test')).toEqual([]);
    expect(await found('victim2@sample.test')).toEqual([claimed[2]?.json.token]);
  });

  /** A session of version 1 that has proven the address. */
  async function proven(address: string, of = server) {
    const v1 = root(of, 'api/v1');
    const session = { client_secret: 'secret' };
    const mailed = of.smtp.mails.length;
    const asked = { ...session, email: address, send_attempt: 1 };
    const { sid } = (await postJson(`${v1}/validate/email/requestToken`, asked)).json;
    const mail = of.smtp.mails[mailed];
    const link = new URL(/https:\/\/\S+submitToken\S+/.exec(mail?.parsed.text ?? '')?.[0] ?? '');
    const token = link.searchParams.get('token');
    const submitted = await postJson(`${v1}/validate/email/submitToken`, {
      ...session,
      sid,
      token,
    });
    expect(submitted.json).toEqual({ success: true });
    return (mxid: string, by = of) =>
      postJson(`${root(by, 'api/v1')}/3pid/bind`, { ...session, sid, mxid });
  }

  test('a session binds ten times, and the next that proves the address goes on', async () => {
    const bindBy = await proven('binder@sample.test');
    for (let count = 1; count <= 10; count++) {
      expect((await bindBy(`@user${count}:sample.test`)).status).toBe(200);
    }
    expectLimited(await bindBy('@user11:sample.test'), 'bind.session');
    expectLimited(await bindBy('@user10:sample.test'), 'bind.session');
    const look = { medium: 'email', address: 'binder@sample.test' };
    const found = await get(`${root(server, 'api/v1')}/lookup`, look);
    expect(found.json.mxid).toBe('@user10:sample.test');
    expect((await (await proven('beside@sample.test'))('@beside:sample.test')).status).toBe(200);
    server.clock.advance(25 * 60 * 60 * 1000);
    expect((await (await proven('binder@sample.test'))('@again:sample.test')).status).toBe(200);
  });

  const beside = () =>
    ({ engine, now: server.clock.now(), sections: { general: 'limits.enforce = true' } }) as const;

  test('a session that binds many times at once, by all processes, binds ten times', async () => {
    const servers = [server];
    const { database } = server;
    if (engine === 'postgres') servers.push(await startTestServer({ ...beside(), database }));
    try {
      const bindBy = await proven('racer@sample.test');
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, turn) =>
          bindBy(`@user${turn}:sample.test`, servers[turn % servers.length]),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(10);
      expect(statuses.filter((status) => status === 429)).toHaveLength(14);
    } finally {
      for (const other of servers.slice(1)) await other.stop();
    }
  });
  test('as long as they only report, all invitations stay and all binds go through', async () => {
    const reporting = await start('report');
    try {
      const eve = await reporting.token('@eve:x.test');
      const tokens: string[] = [];
      for (let count = 0; count < 3; count++) {
        for (const token of [undefined, eve]) {
          const stored = await invite('grace@sample.test', '@eve:x.test', token, reporting);
          tokens.push(stored.json.token);
        }
      }
      const bound = await bind(reporting, 'grace@sample.test', '@grace:sample.test');
      expect(tokensOf(bound)).toEqual(tokens);
      const bindBy = await proven('binder@sample.test', reporting);
      for (let count = 0; count < 12; count++) {
        expect((await bindBy('@binder:sample.test')).status).toBe(200);
      }
      const text = await metrics(reporting);
      const counted = (limit: string, count: number) =>
        expect(text).toContain(
          `cognomen_limit_exceeded_total{limit="${limit}",enforced="false"} ${count}`,
        );
      counted('invites.address', 2);
      counted('bind.session', 2);
      expect(text).toContain('cognomen_invitations_given_way_total 0');
    } finally {
      await reporting.stop();
    }
  });
});

test('an invitation that is refused for want of room is charged to no other limit', async () => {
  const server = await startTestServer({
    sections: {
      general: 'limits.enforce = true',
      email: 'email.ratelimit_sender.burst = 2',
      limits: 'invites.address.burst = 1',
    },
  });
  try {
    const inviteBy = async (name: string) => {
      const [sender, url] = [`@${name}:x.test`, `${server.url}/_matrix/identity/v2/store-invite`];
      const token = await server.token(sender);
      return (address: string) => postJson(url, { ...INVITE, address, sender }, token);
    };
    expect((await (await inviteBy('eve'))('full@sample.test')).status).toBe(200);
    const adaInvites = await inviteBy('ada');
    for (let count = 0; count < 4; count++) {
      expectLimited(await adaInvites('full@sample.test'), 'invites.address');
    }
    for (const address of ['a@sample.test', 'b@sample.test']) {
      expect((await adaInvites(address)).status).toBe(200);
    }
    expectLimited(await adaInvites('c@sample.test'), 'email.ratelimit_sender');
  } finally {
    await server.stop();
  }
});
