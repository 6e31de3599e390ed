import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/load.ts';
import { shortCodeOf } from '../../src/identity/validation/short-code.ts';
import { createDatabase, ENGINES } from '../support/databases.ts';
import { postJson, request } from '../support/http.ts';
import { bind, INVITE, invite } from '../support/invitations.ts';
import { codeMailTo, OWNER_PAGE, Visitor, WITH_OWNER_PAGE } from '../support/owner-page.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, type TestProvider } from '../support/sms.ts';

const MINUTE = 60_000;
const GRACE = '@grace:example.org';

const email = (address: string) => ({ medium: 'email', address });
const findsNobody = async (server: TestServer, address: string) => {
  const url = `${server.url}/_matrix/identity/api/v1/lookup?medium=email&address=${address}`;
  return (await request(url)).text === '{}';
};

describe.each(ENGINES)('the owners’ page, on %s,', (engine) => {
  let server: TestServer;
  let sms: TestProvider;
  beforeAll(async () => {
    sms = await startOpenMarket();
    server = await startTestServer({
      engine,
      now: Date.UTC(2026, 2, 3),
      sections: {
        general: WITH_OWNER_PAGE,
        http: 'obey_x_forwarded_for = true',
        email: 'email.ratelimit_sender.burst = 1000',
        sms: sms.config,
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    await sms.close();
  });

  const rows = () => server.database.execute('select * from cognomen_owner_sessions');

  test('lets who owns an address stop being found, in three steps', async () => {
    await bind(server, 'grace@sample.test', GRACE);
    const grace = new Visitor(server);
    const first = await grace.look();
    expect(first).not.toContain('grace@');
    // One: the address.
    const asked = await grace.post('/code', { address: ' Grace@Sample.test ' });
    expect([asked.status, asked.headers.get('location')]).toEqual([302, '../../cognomen/mine']);
    const { parsed, code } = await codeMailTo(server, 'Grace@Sample.test');
    expect(parsed.subject).toBe('Your code for id.test');
    expect(await grace.look()).toContain('grace@sample.test');
    expect(await grace.look()).not.toContain(GRACE);
    // Two: the code, as people type it.
    await grace.post('/prove', { code: ` ${code.slice(0, 4).toLowerCase()}-${code.slice(4)}` });
    const page = await grace.look();
    expect(page).toContain(`leads to <strong><bdi>${GRACE}</bdi></strong>`);
    expect(page).toContain('March 3, 2026');
    expect(await findsNobody(server, 'grace@sample.test')).toBe(false);
    // Three.
    expect((await grace.post('/stop', email('grace@sample.test'))).status).toBe(302);
    expect(await findsNobody(server, 'grace@sample.test')).toBe(true);
    const after = await grace.look();
    expect(after).toContain('nobody can find you by it here');
    expect(after).not.toContain('Stop being found');
    // Once more changes nothing.
    expect((await grace.post('/stop', email('grace@sample.test'))).status).toBe(302);
  });

  test('is one page for one browser: no cache, no frame, no script, nothing from elsewhere', async () => {
    const visitor = new Visitor(server);
    await visitor.prove(server, 'headers@sample.test');
    for (const { headers, text } of [await visitor.send(''), await new Visitor(server).send('')]) {
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('same-origin');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; style-src 'sha256-[^;]+; frame-ancestors 'none'; base-uri 'none'; form-action 'self'$/,
      );
      expect(text).not.toMatch(/<script|javascript:|\ssrc=|\son\w+=/i);
    }
    expect(visitor.cookies.length).toBe(2);
    for (const line of visitor.cookies) {
      expect(line).toMatch(
        /^__Secure-cognomen-owner=[\w-]{43}; Path=\/_matrix\/identity\/cognomen\/mine; HttpOnly; SameSite=Strict; Secure$/,
      );
    }
    // The database cannot tell what stands in the cookie.
    const token = visitor.cookie?.split('=')[1] ?? '';
    expect(JSON.stringify(await rows())).not.toContain(token);
  });

  test('answers alike, and before the relay, whether or not an address is bound', async () => {
    await bind(server, 'bound@sample.test', GRACE);
    const notSent = () =>
      server.database.execute("select id from cognomen_message_events where event = 'not-sent'");
    const answers = [];
    for (const address of ['bound@sample.test', 'free@sample.test', 'nobody@refused.test']) {
      const visitor = new Visitor(server);
      server.smtp.refuse(address.includes('refused') ? 550 : undefined);
      const { status, headers, text } = await visitor.post('/code', { address });
      const page = (await visitor.look()).replaceAll(address, 'X');
      answers.push({
        ...{ status, text, location: headers.get('location') },
        page: page.replaceAll(/name="form" value="[^"]+"/g, ''),
      });
      if (address.includes('refused')) await expect.poll(notSent).toHaveLength(1);
      else await codeMailTo(server, address);
    }
    server.smtp.refuse(undefined);
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  test('keeps its codes apart from those of apps', async () => {
    const v1 = `${server.url}/_matrix/identity/api/v1/validate/email`;
    const app = { email: 'apart@sample.test', client_secret: 'secret', send_attempt: 1 };
    const { sid } = (await postJson(`${v1}/requestToken`, app)).json;
    const mailed = server.smtp.mails.find(({ to }) => to[0] === app.email)?.parsed.text ?? '';
    const [, token = ''] = /token=([A-Za-z0-9]{32})/.exec(mailed) ?? [];
    const visitor = new Visitor(server);
    await visitor.post('/code', { address: 'apart@sample.test' });
    const { raw, code } = await codeMailTo(server, 'apart@sample.test');
    expect(raw.toString()).not.toMatch(/submitToken|client_secret|https?:\/\/id\.test/);

    for (const wrong of [token, shortCodeOf(token)]) {
      expect((await visitor.post('/prove', { code: wrong })).status).toBe(400);
    }
    const submit = async (given: string) =>
      (await postJson(`${v1}/submitToken`, { sid, token: given, client_secret: 'secret' })).json;
    expect((await submit(code)).success).toBe(false);
    expect((await visitor.post('/prove', { code })).status).toBe(302);
    const { json } = await request(
      `${server.url}/_matrix/identity/api/v1/3pid/getValidated3pid?sid=${sid}&client_secret=secret`,
    );
    expect(json.errcode).toBe('M_SESSION_NOT_VALIDATED');
    expect((await submit(token)).success).toBe(true);
  });

  test('takes ten wrong codes of one, also when they come at once, and then none', async () => {
    const visitor = new Visitor(server);
    await visitor.post('/code', { address: 'guessed@sample.test' });
    const { code } = await codeMailTo(server, 'guessed@sample.test');
    const form = await visitor.formToken();
    const tries = await Promise.all(
      Array.from({ length: 14 }, () => visitor.post('/prove', { code: 'AAAAAAA3', form })),
    );
    expect(tries.every(({ status }) => status === 400)).toBe(true);
    expect(tries.filter(({ text }) => text.includes('That is not the code'))).toHaveLength(10);
    const late = await visitor.post('/prove', { code });
    expect(late.status).toBe(400);
    expect(late.text).toContain('This code works no longer');
    // Another one does.
    await visitor.prove(server, 'guessed@sample.test');
  });

  test('does nothing that a page of somebody else’s asks for', async () => {
    await bind(server, 'csrf@sample.test', GRACE);
    const [owner, other] = [new Visitor(server), new Visitor(server)];
    await owner.prove(server, 'csrf@sample.test');
    const form = await owner.formToken();
    const foreign = [
      { origin: 'https://evil.test' },
      { origin: 'null' },
      { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: server.url, 'sec-fetch-site': 'cross-site' },
    ];
    const mine = email('csrf@sample.test');
    for (const path of ['/stop', '/erase', '/leave', '/code', '/invitations']) {
      const fields = { ...mine, mailed: 'no' };
      for (const headers of foreign) {
        expect((await owner.post(path, { ...fields, form }, headers)).status).toBe(403);
      }
      for (const wrong of ['', 'x', form.slice(1), await other.formToken()]) {
        const { status } = await owner.post(path, { ...fields, form: wrong });
        expect(status).toBe(403);
      }
      // Another browser with this one’s form.
      expect((await other.post(path, { ...fields, form })).status).toBe(403);
    }
    expect(await owner.look()).toContain(GRACE);
    for (const headers of [
      { origin: server.url },
      { origin: 'https://id.test', 'sec-fetch-site': 'same-origin' },
    ]) {
      expect((await owner.post('/stop', mine, headers)).status).toBe(302);
    }
  });

  test('knows a browser by another cookie after each proof, and by none that was planted', async () => {
    const victim = new Visitor(server);
    await victim.post('/code', { address: 'planted@sample.test' });
    const planted = victim.cookie;
    await victim.post('/prove', {
      code: (await codeMailTo(server, 'planted@sample.test')).code,
    });
    expect(victim.cookie).not.toBe(planted);
    const attacker = new Visitor(server);
    attacker.cookie = planted;
    expect(await attacker.look()).not.toContain('planted@');
    expect((await attacker.post('/stop', email('planted@sample.test'))).status).toBe(404);
    expect(await victim.look()).toContain('planted@sample.test');
    // Two of that name: one of them may be somebody else’s.
    const both = new Visitor(server);
    both.cookie = `${victim.cookie}; ${planted}`;
    expect(await both.look()).not.toContain('planted@');
  });

  test('does nothing about an address that the browser has not proven', async () => {
    const { token } = await invite(server, 'theirs@sample.test');
    const stored = (await server.database.execute('select id from invite_tokens where token = ?', [
      token,
    ])) as { id: number }[];
    const id = stored[0]?.id ?? 0;
    const visitor = new Visitor(server);
    await visitor.prove(server, 'mine@sample.test');
    const theirs = email('theirs@sample.test');
    for (const path of ['/stop', '/decline', '/erase', '/invitations']) {
      const answer = await visitor.post(path, { ...theirs, id: String(id), mailed: 'no' });
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect((await visitor.send('/data?medium=email&address=theirs@sample.test')).status).toBe(404);
    // Nor by one’s own address with the other’s invitation.
    const mine = { ...email('mine@sample.test'), id: String(id) };
    expect((await visitor.post('/decline', mine)).status).toBe(302);
    const left = await server.database.execute('select id from invite_tokens where id = ?', [id]);
    expect(left).toHaveLength(1);
    // An address that is waited for is not proven.
    await visitor.post('/code', { address: 'theirs@sample.test' });
    expect((await visitor.post('/stop', theirs)).status).toBe(404);
    expect(await visitor.look()).not.toContain(INVITE.room_id);
    await bind(server, 'found@sample.test', GRACE);
    await visitor.post('/code', { address: 'found@sample.test' });
    expect((await visitor.post('/stop', email('found@sample.test'))).status).toBe(404);
    expect(await findsNobody(server, 'found@sample.test')).toBe(false);
    expect(await visitor.look()).not.toContain(GRACE);
  });

  test('shows two addresses of one browser, and forgets both half an hour later, or by a click', async () => {
    const visitor = new Visitor(server);
    await visitor.prove(server, 'one@sample.test');
    server.clock.advance(20 * MINUTE);
    await visitor.prove(server, 'two@sample.test');
    expect(await visitor.look()).toMatch(/two@sample\.test[\s\S]*one@sample\.test/);
    server.clock.advance(10 * MINUTE);
    const page = await visitor.look();
    expect(page).toContain('two@sample.test');
    expect(page).not.toContain('one@sample.test');
    expect((await visitor.post('/stop', email('one@sample.test'))).status).toBe(404);

    const { cookie } = visitor;
    expect((await visitor.post('/leave', {})).status).toBe(302);
    expect(visitor.cookie).toBeUndefined();
    visitor.cookie = cookie;
    expect(await visitor.look()).not.toContain('two@sample.test');
  });

  test('waits an hour for a code', async () => {
    const [quick, slow] = [new Visitor(server), new Visitor(server)];
    await quick.post('/code', { address: 'quick@sample.test' });
    await slow.post('/code', { address: 'slow@sample.test' });
    const { code } = await codeMailTo(server, 'slow@sample.test');
    const quickCode = (await codeMailTo(server, 'quick@sample.test')).code;
    server.clock.advance(59 * MINUTE);
    expect((await quick.post('/prove', { code: quickCode })).status).toBe(302);
    server.clock.advance(MINUTE);
    expect((await slow.post('/prove', { code })).status).toBe(404);
  });

  test('sends no code for what it has proven, and takes the newest of several that were asked for at once', async () => {
    const visitor = new Visitor(server);
    await visitor.prove(server, 'proven@sample.test');
    const before = server.smtp.mails.length;
    expect((await visitor.post('/code', { address: 'Proven@sample.test' })).status).toBe(302);
    expect(await visitor.look()).toContain('proven@sample.test</');
    expect(server.smtp.mails).toHaveLength(before);

    const form = await visitor.formToken();
    const both = ['tab1@sample.test', 'tab2@sample.test'];
    await Promise.all(both.map((address) => visitor.post('/code', { form, address })));
    const pending = await server.database.execute(
      'select address from cognomen_owner_sessions where proven_ts is null and address in (?, ?)',
      both,
    );
    expect(pending).toHaveLength(1);
  });

  test('proves phone numbers, too, and says what it cannot send to', async () => {
    const visitor = new Visitor(server);
    await visitor.post('/code', { address: '+44 7700 900750' });
    await expect.poll(() => sms.messages.at(-1)?.to).toBe('447700900750');
    await visitor.post('/prove', { code: ` ${sms.lastCode()} ` });
    const page = await visitor.look();
    expect(page).toContain('+447700900750');
    expect(page).not.toContain('Invitations');
    for (const [typed, said] of [
      ['07700 900750', 'That is no phone number'],
      ['', 'That is no phone number'],
      ['+44 909 879 0000', 'That is no phone number'],
      ['a@', 'That is no email address'],
      [`${'a'.repeat(600)}@sample.test`, 'That is no email address'],
    ] as const) {
      const answer = await visitor.post('/code', { address: typed });
      expect([typed, answer.status]).toEqual([typed, 400]);
      expect(answer.text).toContain(said);
      expect(answer.text).toContain('role="alert"');
    }
  });

  test('has no more room for mails than apps have, and shares it with them', async () => {
    const from = (address: string) => ({ 'x-forwarded-for': address });
    const statuses = [];
    const visitor = new Visitor(server);
    for (let i = 0; i < 6; i++) {
      visitor.headers = from('198.51.100.7');
      statuses.push((await visitor.post('/code', { address: `bombed+${i}@sample.test` })).status);
    }
    // One network has a share of a mailbox; the owner elsewhere is not locked out.
    expect(statuses).toEqual([302, 302, 302, 302, 302, 429]);
    const refused = await visitor.post('/code', { address: 'bombed@sample.test' });
    expect(refused.text).toContain('Too many codes');
    const owner = new Visitor(server);
    owner.headers = from('203.0.113.1');
    await owner.prove(server, 'bombed@sample.test');
    const app = await request(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...from('198.51.100.7') },
      body: JSON.stringify({ email: 'bombed@sample.test', client_secret: 'x', send_attempt: 1 }),
    });
    expect(app.status).toBe(429);
  });

  test('shows what waits, opens it in an app of choice, and gives it up when it is declined', async () => {
    const kept = await invite(server, 'tea@sample.test', {
      sender_display_name: 'Ada <b>L</b>',
      room_name: 'Tea "&" cake',
    });
    const declined = await invite(server, 'tea@sample.test', { room_name: 'Spam' });
    const visitor = new Visitor(server);
    await visitor.prove(server, 'tea@sample.test');
    const page = await visitor.look();
    expect(page).toContain('Ada &lt;b&gt;L&lt;/b&gt;');
    expect(page).toContain('Tea &#34;&amp;&#34; cake');
    expect(page).toContain('@ada:sample.test');
    expect(page).toContain(INVITE.room_id);
    const link = /href="(https:\/\/app\.element\.io\/[^"]+)"/.exec(page)?.[1] ?? '';
    const url = new URL(link.replaceAll('&amp;', '&'));
    expect(url.hash).toMatch(/^#\/room\/!tea%3Asample\.test\?email=tea%40sample\.test&signurl=/);
    const signUrl = new URLSearchParams(url.hash.split('?')[1]).get('signurl') ?? '';
    expect(new URL(signUrl).searchParams.get('token')).toBe(kept.token);

    const valid = async (stored: { public_keys: { public_key: string }[] }) =>
      (
        await request(
          `${server.url}/_matrix/identity/v2/pubkey/ephemeral/isvalid?public_key=${stored.public_keys[1]?.public_key}`,
        )
      ).json.valid;
    const ids = [...page.matchAll(/name="id" value="(\d+)"/g)].map(([, id]) => id);
    expect(ids).toHaveLength(2);
    await visitor.post('/decline', { ...email('tea@sample.test'), id: ids[1] ?? '' });
    expect(await valid(declined)).toBe(false);
    expect(await valid(kept)).toBe(true);
    expect(await visitor.look()).not.toContain('Spam');
    // What is left is delivered to whom the address is bound.
    const { invites } = await bind(server, 'tea@sample.test', '@tea:nowhere.sample.test');
    expect(invites).toHaveLength(1);
  });

  test('has no more invitations mailed, keeps a keyed hash of the address alone, and takes that back', async () => {
    const visitor = new Visitor(server);
    await visitor.prove(server, 'quiet@sample.test');
    const mine = email('quiet@sample.test');
    expect((await visitor.post('/invitations', { ...mine, mailed: 'no' })).status).toBe(302);
    expect(await visitor.look()).toContain('no more invitations are mailed to this address');
    const before = server.smtp.mails.length;
    const store = () =>
      postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, {
        ...INVITE,
        ...mine,
      });
    expect((await store()).status).toBe(200);
    expect(server.smtp.mails).toHaveLength(before);
    const refusals = await server.database.execute('select * from cognomen_invitation_refusals');
    expect(JSON.stringify(refusals)).not.toMatch(/quiet|sample/);
    expect(refusals.length).toBeGreaterThan(0);

    expect((await visitor.post('/invitations', { ...mine, mailed: 'yes' })).status).toBe(302);
    expect((await store()).status).toBe(200);
    expect(server.smtp.mails.at(-1)?.to).toEqual(['quiet@sample.test']);
    expect((await visitor.post('/invitations', { ...mine, mailed: 'perhaps' })).status).toBe(400);
  });

  test('gives what is kept of the address, and nothing of the account or of other addresses', async () => {
    const user = '@owner:sample.test';
    await bind(server, 'given@sample.test', user);
    await bind(server, 'hidden@sample.test', user);
    const token = await server.token(user);
    const visitor = new Visitor(server);
    await visitor.prove(server, 'given@sample.test');
    const page = await visitor.look();
    expect(page).not.toContain('hidden@');
    const { status, headers, text } = await visitor.send(
      '/data?medium=email&address=given@sample.test',
    );
    const json = JSON.parse(text);
    expect(status).toBe(200);
    expect(headers.get('content-disposition')).toContain('attachment');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(json).toMatchObject({ ...email('given@sample.test') });
    expect(json.kept.bindings).toMatchObject([{ mxid: user }]);
    expect(json.kept.owner_sessions).toHaveLength(1);
    expect(json.kept.account).toBeUndefined();
    expect(text).not.toMatch(/hidden@|next_link/);
    expect(text).not.toContain(token);
  });

  test('erases the address, its visits here among it, and leaves account and other addresses', async () => {
    const user = '@erased:sample.test';
    await bind(server, 'gone@sample.test', user);
    await bind(server, 'stays@sample.test', user);
    const token = await server.token(user);
    const visitor = new Visitor(server);
    await visitor.prove(server, 'gone@sample.test');
    await visitor.prove(server, 'also@sample.test');
    const erased = await visitor.post('/erase', email('gone@sample.test'));
    expect(erased.status).toBe(200);
    expect(erased.text).toContain('All that was kept of the address is erased');
    expect(erased.text).toContain('also@sample.test');
    expect(erased.text).not.toContain('gone@sample.test');
    expect(await findsNobody(server, 'gone@sample.test')).toBe(true);
    expect(await findsNobody(server, 'stays@sample.test')).toBe(false);
    const account = await request(`${server.url}/_matrix/identity/v2/account`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(account.json.user_id).toBe(user);
    for (const table of ['cognomen_owner_sessions', 'cognomen_sessions', 'invite_tokens']) {
      const left = await server.database.execute(`select * from ${table}`);
      expect(JSON.stringify(left)).not.toContain('gone@');
    }
  });
});

describe('the owners’ page', () => {
  let server: TestServer | undefined;
  afterEach(() => server?.stop());

  test.each([
    ['', false],
    ['limits.enforce = true', false],
    ['self_service.enabled = true', true],
    ['self_service.enabled = true\nlimits.enforce = report', true],
  ])('is not there with %j', async (general, warning) => {
    server = await startTestServer({ sections: { general } });
    for (const path of ['', '/code', '/data']) {
      const { status, json } = await request(`${server.url}${OWNER_PAGE}${path}`);
      expect([status, json.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    }
    const { warnings } = await readConfig(server.config.files, { env: {}, hostname: 'id.test' });
    expect(warnings.some((line) => line.includes('self_service.enabled'))).toBe(warning);
  });

  test('answers while the relay has not, and a stop does not wait for that', async () => {
    let held = Promise.withResolvers<void>();
    const holding = Promise.withResolvers<void>();
    server = await startTestServer({
      sections: { general: WITH_OWNER_PAGE },
      smtp: {
        onRcptTo({ address }, _session, done) {
          if (address.startsWith('bob@')) holding.resolve();
          held.promise.then(() => done());
        },
      },
    });
    const visitor = new Visitor(server);
    const { status } = await visitor.post('/code', { address: 'ada@sample.test' });
    expect(status).toBe(302);
    expect(server.smtp.mails).toHaveLength(0);
    held.resolve();
    const { code } = await codeMailTo(server, 'ada@sample.test');
    expect((await visitor.post('/prove', { code })).status).toBe(302);

    held = Promise.withResolvers();
    expect((await visitor.post('/code', { address: 'bob@sample.test' })).status).toBe(302);
    await holding.promise;
    await server.app.close();
    held.resolve();
  });

  test('has a cookie below the path of client_http_base, and one for connections without TLS', async () => {
    server = await startTestServer({
      clientHttpBase: 'http://id.test:8090/there',
      sections: { general: WITH_OWNER_PAGE },
    });
    const visitor = new Visitor(server);
    await visitor.look();
    expect(visitor.cookies[0]).toMatch(
      /^cognomen-owner=[\w-]{43}; Path=\/there\/_matrix\/identity\/cognomen\/mine; HttpOnly; SameSite=Strict$/,
    );
  });
});

describe.each(ENGINES)('a browser on the owners’ page, on %s,', (engine) => {
  test('is known after a restart, and to every process; what it had is deleted in time', async () => {
    const database = await createDatabase(engine);
    const options = {
      ...{ engine, database, now: Date.now() },
      sections: { general: WITH_OWNER_PAGE },
    };
    try {
      const first = await startTestServer(options);
      const visitor = new Visitor(first);
      await visitor.post('/code', { address: 'ada@sample.test' });
      const { code } = await codeMailTo(first, 'ada@sample.test');
      await first.stop();
      const second = await startTestServer(options);
      visitor.server = second;
      expect((await visitor.post('/prove', { code })).status).toBe(302);
      expect(await visitor.look()).toContain('ada@sample.test');
      await second.stop();
      const later = await startTestServer({ ...options, now: Date.now() + 31 * MINUTE });
      visitor.server = later;
      expect(await visitor.look()).not.toContain('ada@');
      await expect
        .poll(() => database.execute('select * from cognomen_owner_sessions'))
        .toHaveLength(0);
      await later.stop();
    } finally {
      await database.drop();
    }
  });
});
