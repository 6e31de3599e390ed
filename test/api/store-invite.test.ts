import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { keyPairFromSeed } from '../../src/signing/ed25519.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postForm, postJson, request, type TestAnswer } from '../support/http.ts';
import { bind, INVITE } from '../support/invitations.ts';
import { PUBLIC_KEY, SERVER_NAME, startTestServer, type TestServer } from '../support/server.ts';
import type { ReceivedMail } from '../support/smtp.ts';

const DAY = 24 * 60 * 60 * 1000;

/** The query behind the link of an invitation mail, and the sign URL in it. */
function linkIn(mail: ReceivedMail) {
  const link = /https?:\/\/\S+\/#\/room\/\S+/.exec(mail.parsed.text ?? '')?.[0] ?? '';
  const url = new URL(link.replace('/#', ''));
  return { link, query: url.searchParams, signUrl: new URL(url.searchParams.get('signurl') ?? '') };
}

/** The path and query of a link to this server, on the port it really listens at. */
const here = (server: TestServer, { pathname, search }: URL) => `${server.url}${pathname}${search}`;

describe.each(ENGINES)('an invitation on %s', (engine) => {
  let server: TestServer;
  let number = 0;
  let address: string;
  const v1 = () => `${server.url}/_matrix/identity/api/v1`;
  const internal = () => `${server.internalUrl}/_matrix/identity/internal`;
  const invite = (more: Record<string, unknown> = {}) =>
    postJson(`${v1()}/store-invite`, { ...INVITE, address, ...more });
  const isValid = async (publicKey: string) =>
    (await get(`${v1()}/pubkey/ephemeral/isvalid`, { public_key: publicKey })).json.valid;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      sections: {
        email: `email.ratelimit_sender.burst = 1000
email.default_web_client_location = https://chat.test
email.invite.extra_fields = colour
email.invite.expiry_days = 90
email.third_party_invite_homeserver_blocklist =
  evil.test:8448
email.third_party_invite_room_blocklist =
  !spam:sample.test
email.third_party_invite_keyword_blocklist =
  https://
  BUY now`,
      },
    });
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    address = `Grace.Hopper${number++}@Navy.sample.test`;
  });

  test('is stored, mailed and signed for', async () => {
    const stored = await invite();
    expect(stored.status).toBe(200);
    const base = 'https://id.test/_matrix/identity/api/v1/pubkey';
    const ephemeral = stored.json.public_keys[1].public_key;
    expect(stored.json).toEqual({
      token: expect.stringMatching(/^[0-9a-zA-Z]{128}$/),
      public_key: PUBLIC_KEY,
      public_keys: [
        { public_key: PUBLIC_KEY, key_validity_url: `${base}/isvalid` },
        { public_key: ephemeral, key_validity_url: `${base}/ephemeral/isvalid` },
      ],
      display_name: 'Gra...@Nav...',
    });
    expect(ephemeral).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await isValid(ephemeral)).toBe(true);

    const mail = await server.smtp.nextMail();
    expect(mail.to).toEqual([address]);
    expect(mail.parsed.subject).toBe('Ada has invited you to chat');
    expect(mail.parsed.text).toContain('Ada has invited you to the room Tea on');
    const { link, query, signUrl } = linkIn(mail);
    expect(link).toMatch(/^https:\/\/chat\.test\/#\/room\/%21tea%3Asample\.test\?email=/);
    expect(query.get('email')).toBe(address);
    expect(query.get('inviter_name')).toBe('Ada');
    expect(signUrl.searchParams.get('token')).toBe(stored.json.token);

    signUrl.searchParams.set('mxid', '@grace:sample.test');
    const signed = await request(here(server, signUrl), { method: 'POST' });
    expect(signed.status).toBe(200);
    expect(signed.json).toMatchObject({
      mxid: '@grace:sample.test',
      sender: '@ada:sample.test',
      token: stored.json.token,
    });
    const key = decodeBase64(ephemeral) ?? new Uint8Array();
    expect(verifySignedJson(signed.json, SERVER_NAME, 'ed25519:0', key)).toBe(true);

    // As element-web does it: JSON that says nothing, everything in the query.
    const again = await request(here(server, signUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'null',
    });
    expect(again.json).toEqual(signed.json);
  });

  test('is signed for with a key in either alphabet, and with no other', async () => {
    const { token } = (await invite()).json;
    await server.smtp.nextMail();
    const seed = Buffer.alloc(32, 0xfb);
    const sign = (private_key: string, more = {}) =>
      postJson(`${v1()}/sign-ed25519`, { mxid: '@g:sample.test', token, private_key, ...more });
    const standard = await sign(seed.toString('base64').replace('=', ''));
    const urlSafe = await sign(seed.toString('base64url'));
    expect(standard.json).toEqual(urlSafe.json);
    const { publicKey } = keyPairFromSeed(seed);
    expect(verifySignedJson(standard.json, SERVER_NAME, 'ed25519:0', publicKey)).toBe(true);

    for (const wrong of ['', 'short', seed.toString('hex'), '*'.repeat(43)]) {
      const refused = await sign(wrong);
      expect([refused.status, refused.json.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    }
    const unknown = await sign(seed.toString('base64url'), { token: 'x'.repeat(128) });
    expect([unknown.status, unknown.json.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    const missing = await postJson(`${v1()}/sign-ed25519`, { token });
    expect(missing.json.error).toBe('Missing parameters: mxid,private_key');
  });

  test('says no more than it should', async () => {
    const stored = await invite({
      sender_display_name: `\u202eAda\u0007 of a rather long name ${'x'.repeat(50)}`,
      room_name: 'Tea\n& biscuits, but nothing more than that',
      room_type: 'm.space',
      colour: 'gr\u2066een',
      taste: 'bitter',
      guest_user_id: '@1:sample.test',
      'org.matrix.web_client_location': 'https://other.test/app/',
      from: 'ceo@bank.test',
      token: 'mine',
    });
    expect(stored.status).toBe(200);
    const mail = await server.smtp.nextMail();
    expect(mail.parsed.from?.text).toBe('"Cognomen" <noreply@id.test>');
    expect(mail.parsed.subject).toBe('Ada of a rather lon… has invited you to a space');
    const { link, query } = linkIn(mail);
    expect(link).toMatch(/^https:\/\/chat\.test\/#\/room\//);
    expect(query.get('room_name')).toBe('Tea& biscuits, but nothin…');
    expect(query.get('guest_user_id')).toBe('@1:sample.test');
  });

  test('with a link for a name says its words', async () => {
    await invite({
      sender_display_name: 'Prizes at W\u200fWW.prizes.test',
      room_name: 'ww\u202ew.x',
    });
    const mail = await server.smtp.nextMail();
    expect(mail.parsed.subject).toBe('Prizes at WWW prize… has invited you to chat');
    expect(linkIn(mail).query.get('room_name')).toBe('www x');
  });

  test('whose name is written in code is not read to anybody', async () => {
    // U+202E and a letter, as mail headers have them.
    const sender_display_name = '=?utf-8?b?4oCuYQ==?=';
    await invite({ sender_display_name });
    const mail = await server.smtp.nextMail();
    expect(mail.parsed.subject).toBe(`${sender_display_name} has invited you to chat`);
  });

  test.each([
    '!v12room',
    '!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM',
    '! spaces and a:colon :x',
    '!controls\u0007\n\u202e:x',
    '!\u{1f375}\u00e4:sample.test',
    '!!',
    `!${'x'.repeat(254)}`,
  ])('is to the room %j as it is named', async (room_id) => {
    const { token } = (await invite({ room_id })).json;
    await server.smtp.nextMail();
    const bound = await postJson(`${internal()}/bind`, {
      medium: 'email',
      address,
      mxid: '@grace:sample.test',
    });
    expect(bound.json.invites).toMatchObject([{ token, room_id }]);
  });

  test.each([
    [{ room_id: undefined, sender: undefined }, 400, 'M_MISSING_PARAMS'],
    [{ sender: 'ada' }, 400, 'M_INVALID_PARAM'],
    [{ room_id: 'tea' }, 400, 'M_INVALID_PARAM'],
    [{ room_id: `!${'x'.repeat(255)}` }, 400, 'M_INVALID_PARAM'],
    [{ room_id: '!a\0' }, 400, 'M_INVALID_PARAM'],
    [{ address: ['x@y.test'] }, 400, 'M_INVALID_PARAM'],
    [{ 'org.matrix.web_client_location': 'javascript:alert(1)' }, 400, 'M_INVALID_PARAM'],
    [{ 'org.matrix.web_client_location': 'https://a b' }, 400, 'M_INVALID_PARAM'],
    [{ sender: '@x:evil.test:8448' }, 403, 'M_UNAUTHORIZED'],
    [{ sender: '@x:EVIL.test:8448' }, 403, 'M_UNAUTHORIZED'],
    [{ room_id: '!spam:sample.test' }, 403, 'M_UNAUTHORIZED'],
    [{ medium: 'msisdn', address: '447700900000' }, 400, 'M_UNRECOGNIZED'],
    [{ medium: 'pigeon' }, 400, 'M_UNRECOGNIZED'],
    [{ address: '' }, 400, 'M_INVALID_PARAM'],
    [{ address: `${'x'.repeat(490)}@sample.test` }, 400, 'M_INVALID_PARAM'],
    [{ taste: 'Buy NOW!' }, 403, 'M_UNAUTHORIZED'],
    [{ sender_display_name: 'see https://x.test' }, 403, 'M_UNAUTHORIZED'],
    [{ address: 'not an address' }, 400, 'M_INVALID_EMAIL'],
    [{ address: 'Name <x@sample.test>' }, 400, 'M_INVALID_EMAIL'],
    [{ extra: 'x'.repeat(200_000) }, 400, 'M_INVALID_PARAM'],
  ])('is refused: %j', async (more, status, errcode) => {
    const before = server.smtp.mails.length;
    const refused = await invite(more);
    expect([refused.status, refused.json.errcode]).toEqual([status, errcode]);
    expect(server.smtp.mails.length).toBe(before);
  });

  test('of an address that is bound is refused with its user', async () => {
    await postJson(`${internal()}/bind`, { medium: 'email', address, mxid: '@grace:sample.test' });
    for (const spelling of [address, address.toUpperCase(), address.toLowerCase()]) {
      const refused = await invite({ address: spelling });
      expect(refused.status).toBe(400);
      expect(refused.json).toMatchObject({
        errcode: 'M_THREEPID_IN_USE',
        mxid: '@grace:sample.test',
      });
    }
  });

  test('that the relay refuses leaves nothing behind', async () => {
    server.smtp.refuse(550);
    const refused = await invite();
    server.smtp.refuse(undefined);
    expect([refused.status, refused.json.errcode]).toEqual([400, 'M_EMAIL_SEND_ERROR']);
    const bound = await postForm(`${internal()}/bind`, {
      medium: 'email',
      address,
      mxid: '@grace:sample.test',
    });
    expect(bound.json).not.toHaveProperty('invites');
  });

  test('that nobody takes up is deleted in time, and its key later', async () => {
    const { token, public_keys } = (await invite()).json;
    const ephemeral = public_keys[1].public_key;
    await server.smtp.nextMail();
    const sign = async () => {
      const private_key = Buffer.alloc(32, 1).toString('base64url');
      return postJson(`${v1()}/sign-ed25519`, { mxid: '@g:sample.test', token, private_key });
    };
    server.clock.advance(89 * DAY);
    await server.restart();
    expect((await sign()).status).toBe(200);
    server.clock.advance(2 * DAY);
    expect((await sign()).status).toBe(404);
    await server.restart();
    const deleted = () => server.logs.some((line) => JSON.parse(line).invites > 0);
    await expect.poll(deleted).toBe(true);
    expect((await sign()).status).toBe(404);
    expect(await isValid(ephemeral)).toBe(true);
    server.clock.advance(31 * DAY);
    expect(await isValid(ephemeral)).toBe(false);
  });
});

test('invitations are counted like other mails, after the checks of who is inviting', async () => {
  const server = await startTestServer({
    sections: {
      email:
        'email.ratelimit_sender.burst = 1\nemail.third_party_invite_room_blocklist = !spam:sample.test',
    },
  });
  try {
    const invite = (more = {}) =>
      postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, {
        ...INVITE,
        address: 'x@sample.test',
        ...more,
      });
    expect((await invite({ room_id: '!spam:sample.test' })).status).toBe(403);
    expect((await invite()).status).toBe(200);
    const limited = await invite();
    expect([limited.status, limited.json.errcode]).toEqual([429, 'M_LIMIT_EXCEEDED']);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    const other = await invite({ sender: '@another:sample.test', address: 'y@sample.test' });
    expect(other.status).toBe(200);
  } finally {
    await server.stop();
  }
});

test('a subject of anything fits the lines that relays take', async () => {
  const server = await startTestServer({
    sections: { email: 'email.invite.subject = %(room_alias)s' },
  });
  try {
    const stored = await postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, {
      ...INVITE,
      address: 'x@sample.test',
      room_alias: `#x${'\u{1f375}'.repeat(1000)}`,
    });
    expect(stored.status).toBe(200);
    const mail = await server.smtp.nextMail();
    expect(mail.parsed.subject).toMatch(/^#x\u{1f375}{120,}$/u);
    for (const line of mail.raw.toString('latin1').split('\r\n')) {
      expect(line.length).toBeLessThanOrEqual(998);
    }
  } finally {
    await server.stop();
  }
});

test('an address that is bound while the mail is under way is not invited', async () => {
  const mailing = Promise.withResolvers<void>();
  const bound = Promise.withResolvers<void>();
  const server = await startTestServer({
    smtp: {
      onMailFrom(_address, _session, done) {
        mailing.resolve();
        void bound.promise.then(() => done());
      },
    },
  });
  try {
    const address = 'grace@sample.test';
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    const invited = postJson(`${v1}/store-invite`, { ...INVITE, address });
    await mailing.promise;
    await bind(server, address, '@grace:sample.test');
    bound.resolve();
    const refused = await invited;
    expect(refused.status).toBe(400);
    expect(refused.json).toMatchObject({
      errcode: 'M_THREEPID_IN_USE',
      mxid: '@grace:sample.test',
    });
    const { signUrl } = linkIn(await server.smtp.nextMail());
    signUrl.searchParams.set('mxid', '@grace:sample.test');
    expect((await request(here(server, signUrl), { method: 'POST' })).status).toBe(404);
    expect(await server.database.execute('select token from cognomen_invite_keys')).toEqual([]);
  } finally {
    await server.stop();
  }
});

test('version 2 alone stores and signs, by its own paths', async () => {
  const server = await startTestServer({ sections: { general: 'enable_v1_access = false' } });
  try {
    const v2 = `${server.url}/_matrix/identity/v2`;
    const token = await server.token('@ada:sample.test');
    const invite = { ...INVITE, address: 'grace@sample.test' };
    const code = ({ status, json }: TestAnswer) => [status, json.errcode];
    expect(code(await postJson(`${v2}/store-invite`, {}))).toEqual([401, 'M_UNAUTHORIZED']);
    expect(
      code(await postJson(`${v2}/store-invite`, { ...invite, sender: '@b:sample.test' }, token)),
    ).toEqual([403, 'M_UNAUTHORIZED']);
    const gone = await postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, invite);
    expect(gone.status).toBe(404);

    const stored = await postJson(`${v2}/store-invite?brand=vector-im`, invite, token);
    expect(stored.status).toBe(200);
    const mail = await server.smtp.nextMail();
    expect(mail.parsed.text).toContain('Ada (@ada:sample.test) has invited you');
    const { signUrl } = linkIn(mail);
    expect(signUrl.pathname).toBe('/_matrix/identity/v2/sign-ed25519');
    for (const { public_key, key_validity_url } of stored.json.public_keys) {
      expect(key_validity_url).toMatch(/^https:\/\/id\.test\/_matrix\/identity\/v2\/pubkey\//);
      const answer = await get(here(server, new URL(key_validity_url)), { public_key });
      expect(answer.json).toEqual({ valid: true });
    }

    const incomplete = await request(here(server, signUrl), { method: 'POST' });
    expect(incomplete.status).toBe(401);
    signUrl.searchParams.set('mxid', '@grace:sample.test');
    const old = new URL(signUrl.href.replace('/v2/', '/api/v1/'));
    const [byQuery, byOldPath, byToken] = [
      await request(here(server, signUrl), { method: 'POST' }),
      await request(here(server, old), { method: 'POST' }),
      await postJson(`${v2}/sign-ed25519`, Object.fromEntries(signUrl.searchParams), token),
    ];
    expect(byQuery.json).toMatchObject({ sender: '@ada:sample.test', token: stored.json.token });
    expect(byOldPath.json).toEqual(byQuery.json);
    expect(byToken.json).toEqual(byQuery.json);
  } finally {
    await server.stop();
  }
});
