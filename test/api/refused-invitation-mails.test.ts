import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRefusals } from '../../src/identity/invitations/refusals.ts';
import { createPace } from '../../src/platform/pace.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { createDatabase, ENGINES, temporaryFolder } from '../support/databases.ts';
import { postForm, postJson, request } from '../support/http.ts';
import { bind, INVITE } from '../support/invitations.ts';
import { SIGNING_KEY, startTestServer, TestClock, type TestServer } from '../support/server.ts';
import type { ReceivedMail } from '../support/smtp.ts';

const ONE_CLICK = { 'List-Unsubscribe': 'One-Click' };
const ELSE = { 'List-Unsubscribe': 'Else' };

const header = ({ raw }: ReceivedMail, name: string) =>
  new RegExp(`^${name}: (.*)\\r\\n`, 'im').exec(raw.toString())?.[1];

const store = (server: TestServer, address: string, more: object = {}) =>
  postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, { ...INVITE, address, ...more });

/** Invites an address that has not refused, and gives the mail. */
async function mailed(server: TestServer, address: string): Promise<ReceivedMail> {
  expect((await store(server, address)).status).toBe(200);
  return server.smtp.nextMail();
}

/** Where the link in it leads, at this server's own port. */
function linkOf(server: TestServer, mail: ReceivedMail): string {
  const [, url = ''] = /^<(.*)>$/.exec(header(mail, 'List-Unsubscribe') ?? '') ?? [];
  const { pathname, search } = new URL(url);
  return `${server.url}${pathname}${search}`;
}

describe.each(ENGINES)('the link in an invitation, on %s,', (engine) => {
  let server: TestServer;
  const file = () => server.config.files[0] ?? '';
  const run = (...args: string[]) => runCommand(...args, '-c', file());
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).output);

  beforeAll(async () => {
    server = await startTestServer({ engine, now: Date.now(), sections: { admin: WITH_ADMIN } });
  });
  afterAll(() => server.stop());

  /** Nothing is mailed, and who invites sees no difference. */
  async function expectWithheld(address: string) {
    const before = server.smtp.mails.length;
    const answer = await store(server, address);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.json).sort()).toEqual([
      'display_name',
      'public_key',
      'public_keys',
      'token',
    ]);
    expect(server.smtp.mails).toHaveLength(before);
    return answer.json;
  }

  test('stands in its headers, and in those of no other mail', async () => {
    const invitation = await mailed(server, 'ada@sample.test');
    expect(header(invitation, 'List-Unsubscribe')).toMatch(
      /^<https:\/\/id\.test\/_matrix\/identity\/cognomen\/refuse-invitations\?token=[\w-]{44}>$/,
    );
    expect(header(invitation, 'List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
    expect(header(invitation, 'From')).toBeDefined();
    await postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      ...{ email: 'ada@sample.test', client_secret: 'hush', send_attempt: 1 },
    });
    expect((await server.smtp.nextMail()).raw.toString()).not.toMatch(/^List-/im);
  });

  test('asks first, refuses by the button, and leaves everything but mails as it was', async () => {
    const link = linkOf(server, await mailed(server, 'Bob@Sample.test'));
    for (const method of ['GET', 'HEAD']) {
      const page = await request(link, { method });
      expect(page.status).toBe(200);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      // By chance its token may hold any three letters.
      expect(page.text.replace(/token=[\w-]+/g, '')).not.toMatch(/bob|<script/i);
    }
    // A scanner that posts forms does not say what mail programs say.
    for (const body of [{}, ELSE]) expect((await postForm(link, body)).status).toBe(400);
    await mailed(server, 'bob@sample.test');

    const { text } = await request(link);
    const action = /action="([^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const done = await request(new URL(action, link).href, { method: 'POST' });
    expect(done.status).toBe(200);
    expect(done.text).toContain('No more invitations are mailed');

    for (const address of ['bob@sample.test', 'BOB@sample.TEST', 'bob+x@sample.test']) {
      await expectWithheld(address);
    }
    await mailed(server, 'bobby@sample.test');
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(
      /cognomen_messages_total\{medium="email",kind="invitation",outcome="withheld"\} 3\n/,
    );
    await expect
      .poll(async () => (await run('trace', 'bob@sample.test')).output)
      .toMatch(/invitation not mailed, because the owner .* \(2 times, last /);
    // The room's invitation is there for who proves the address, who gets mails to prove it by.
    await postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      ...{ email: 'bob@sample.test', client_secret: 'hush', send_attempt: 1 },
    });
    await server.smtp.nextMail();
    const { invites } = await bind(server, 'bob@sample.test', '@bob:nowhere.sample.test');
    expect(invites).toHaveLength(4);
    expect(await json('invites', 'refusals', 'bob@sample.test')).toMatchObject({ refused: true });
  });

  test('refuses by one click of a mail program, in either form, as often as it comes', async () => {
    for (const [name, body] of [
      ['cyd', new URLSearchParams(ONE_CLICK)],
      [
        'dan',
        Object.entries(ONE_CLICK).reduce((form, [key, value]) => {
          form.set(key, value);
          return form;
        }, new FormData()),
      ],
    ] as const) {
      const link = linkOf(server, await mailed(server, `${name}@sample.test`));
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => request(link, { method: 'POST', body })),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200));
      expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
      await expectWithheld(`${name}@sample.test`);
    }
  });

  test('is worth nothing where anything of it is changed, and says no more then', async () => {
    const link = linkOf(server, await mailed(server, 'eve@sample.test'));
    const other = linkOf(server, await mailed(server, 'fay@sample.test'));
    const [token, others] = [link, other].map((one) => one.split('token=')[1] ?? '');
    const before = await json('invites', 'refusals');
    for (const wrong of [
      '',
      'a',
      `${token?.slice(0, 43)}${token?.endsWith('A') ? 'B' : 'A'}`,
      `${token}A`,
      token?.slice(0, 22),
      `${others?.slice(0, 22)}${token?.slice(22)}`,
      token?.toLowerCase(),
      '%F0%9F%98%80',
      'x'.repeat(5000),
    ]) {
      const url = `${link.split('token=')[0]}token=${wrong}`;
      const [page, posted] = [await request(url), await postForm(url, ONE_CLICK)];
      expect([page.status, posted.status]).toEqual([400, 400]);
      expect(page.text).toContain('This link is not complete');
      expect(posted.text).toBe(page.text);
    }
    expect(await json('invites', 'refusals')).toEqual(before);
  });

  test('works on through restarts and other signing keys', async () => {
    const database = await createDatabase(engine);
    try {
      const first = await startTestServer({ engine, database });
      const link = linkOf(first, await mailed(first, 'gus@sample.test'));
      await first.stop();
      const signingKey = SIGNING_KEY.replace('ed25519 0', 'ed25519 later');
      const later = await startTestServer({ engine, database, signingKey });
      const url = `${later.url}${link.slice(first.url.length)}`;
      const clicked = await postForm(url, ONE_CLICK);
      const answer = await store(later, 'gus@sample.test');
      await later.stop();
      expect([clicked.status, answer.status]).toEqual([200, 200]);
      expect(later.smtp.mails).toHaveLength(0);
    } finally {
      await database.drop();
    }
  });

  test('is undone by operators, who see whom it concerns by asking for them alone', async () => {
    const link = linkOf(server, await mailed(server, 'hal@sample.test'));
    await postForm(link, ONE_CLICK);
    const admin = adminClient(server, (await createAdminToken(file(), 'operator')).token);
    const refusals = (await admin.get('invites/refusals', { address: 'HAL@sample.test' })).json;
    expect(refusals).toMatchObject({ refused: true, refused_at: expect.any(Number) });
    expect(await json('invites', 'refusals', 'hal+x@sample.test')).toEqual(refusals);
    expect(await json('invites', 'refusals', 'ivy@sample.test')).toMatchObject({ refused: false });
    const rows = await server.database.execute('select * from cognomen_invitation_refusals');
    expect(rows).toHaveLength(refusals.mailboxes);
    expect(JSON.stringify(rows)).not.toMatch(/\bhal\b|sample/);

    const invited = await expectWithheld('hal@sample.test');
    const before = server.smtp.mails.length;
    expect((await run('invites', 'resend', 'hal@sample.test')).output).toContain('invites allow');
    expect(server.smtp.mails).toHaveLength(before);

    expect((await admin.post('invites/allow', { address: 'hal@sample.test' })).status).toBe(200);
    await mailed(server, 'hal@sample.test');
    expect((await run('invites', 'resend', 'hal@sample.test')).status).toBe(0);
    const again = await Promise.all([1, 2, 3].map(() => server.smtp.nextMail()));
    expect(again.map((mail) => linkOf(server, mail))).toEqual(Array(3).fill(link));
    expect(again.some(({ raw }) => raw.includes(invited.token.slice(0, 20)))).toBe(true);
    expect((await run('invites', 'allow', 'hal@sample.test')).status).toBe(1);
    expect((await run('invites', 'allow', '+447700900750')).status).toBe(2);
    expect(await json('audit', 'list', 'hal@sample.test')).toMatchObject([
      { action: 'invites refusals', via: 'api' },
      { action: 'invites resend', outcome: 'failed' },
      { action: 'invites allow', via: 'api', outcome: 'done' },
      { action: 'invites resend', outcome: 'done' },
      { action: 'invites allow', outcome: 'not_found' },
      { action: 'audit list' },
    ]);
    // The link in the mail of then still does what it says.
    await postForm(link, ONE_CLICK);
    await expectWithheld('hal@sample.test');
  });

  test('counts on for who was erased', async () => {
    await postForm(linkOf(server, await mailed(server, 'ian@sample.test')), ONE_CLICK);
    const kept = { refused_invitations: [{ address: 'ian@sample.test' }] };
    expect(await json('export', 'ian@sample.test')).toMatchObject({ kept });
    const remains = expect.arrayContaining([expect.stringContaining('invites allow')]);
    expect(await json('erase', 'ian@sample.test', '--yes')).toMatchObject({ remains });
    await expectWithheld('ian@sample.test');
    expect(await json('export', 'jan@sample.test')).not.toHaveProperty('kept.refused_invitations');
  });
});

describe('an invitation has', () => {
  let server: TestServer | undefined;
  afterEach(() => server?.stop());

  test('no link where nobody knows how this server is reached, and no click by programs without TLS', async () => {
    server = await startTestServer({ clientHttpBase: '' });
    expect((await mailed(server, 'ada@sample.test')).raw.toString()).not.toMatch(/^List-/im);
    await server.stop();
    server = await startTestServer({ clientHttpBase: 'http://id.test:80' });
    const mail = await mailed(server, 'ada@sample.test');
    expect(header(mail, 'List-Unsubscribe')).toMatch(/^<http:/);
    expect(header(mail, 'List-Unsubscribe-Post')).toBeUndefined();
  });

  test('the headers of the operator’s own template, where that has such', async () => {
    const folder = await temporaryFolder();
    try {
      const own = path.join(folder.path, 'own');
      await mkdir(own);
      const head = 'From: %(from)s\nTo: %(to)s\nlist-unsubscribe: <mailto:no@id.test>\n\nHello\n';
      await writeFile(path.join(own, 'invite_template.eml'), head);
      server = await startTestServer({
        sections: { general: `templates.path = ${folder.path}\nbrand.default = own` },
      });
      const mail = await mailed(server, 'ada@sample.test');
      expect(mail.raw.toString().match(/^list-.*$/gim)).toEqual([
        'list-unsubscribe: <mailto:no@id.test>',
      ]);
    } finally {
      await folder.remove();
    }
  });
});

describe('processes that mail the first invitations at once', () => {
  let server: TestServer;
  const storages: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(async () => {
    for (const storage of storages) await storage.close();
    await server.stop();
  });

  test('make links that all of them know, and what is withheld takes as long as a mail', async () => {
    const [clock, logger] = [new TestClock(), pino({ level: 'silent' })];
    const waited: string[] = [];
    const all = [];
    for (let i = 0; i < 2; i++) {
      const storage = await openForCommand(server.config.db, logger);
      storages.push(storage);
      all.push(
        createRefusals({
          ...{ storage, clock, random: secureRandom, url: 'https://id.test/x' },
          pace: {
            measured: (work) => createPace(clock, secureRandom).measured(work),
            imitate: (part) => part().then(() => void waited.push('imitated')),
          },
          logger,
          trail: { note() {} },
          onWithheld: () => waited.push('withheld'),
        }),
      );
    }
    const [one, two] = all;
    const links: string[] = [];
    const to = { to: '', address: 'ada@b.test', brand: 'x', language: undefined };
    const mail = { ...to, isSpace: false, values: {} };
    const ways = {
      sendInvitation: async ({ refuseUrl = '' }) => void links.push(refuseUrl),
      withholdInvitation: async () => void waited.push('asked'),
    };
    await Promise.all(all.map((refusals) => refusals.sendUnlessRefused(mail, ways)));
    expect(new Set(links).size).toBe(1);
    const { searchParams } = new URL(links[0] ?? '');
    expect(searchParams.get('brand')).toBe('x');
    expect(await one?.refuse(searchParams.get('token') ?? '')).toBe(true);
    await two?.sendUnlessRefused(mail, ways);
    expect(waited).toEqual(['asked', 'imitated', 'withheld']);
    expect(links).toHaveLength(2);
  });
});

test('while the relay takes no mail, an address that refuses invitations is answered as any other', async () => {
  const server = await startTestServer({ engine: 'sqlite', now: Date.now() });
  try {
    const link = linkOf(server, await mailed(server, 'gus@sample.test'));
    expect((await postForm(link, ONE_CLICK)).status).toBe(200);
    expect((await store(server, 'gus@sample.test')).status).toBe(200);
    // It was asked whether it would take one, and got none.
    expect(server.smtp.mails).toHaveLength(1);
    await server.smtp.close();
    const [other, refusing] = [
      await store(server, 'hal@sample.test'),
      await store(server, 'gus@sample.test'),
    ];
    expect(other.status).toBeGreaterThanOrEqual(400);
    expect([refusing.status, refusing.json]).toEqual([other.status, other.json]);
  } finally {
    await server.stop();
  }
});
