import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deleteOldInvitations } from '../../src/identity/invitations/invitation-sweep.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { bind, INVITE, invite, refuseInvitations } from '../support/invitations.ts';
import { SIGNING_KEY, startTestServer, type TestServer } from '../support/server.ts';

const HOUR = 60 * 60 * 1000;
const OTHER_KEY = `ed25519 new ${Buffer.alloc(32, 7).toString('base64').replace(/=+$/, '')}`;
const NOT_KNOWN = /what its mail said is not known/;

describe.each(ENGINES)('the mail of an invitation, beside a server on %s,', (engine) => {
  let server: TestServer;
  let api: AdminClient;
  let number = 0;
  let address: string;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: { admin: WITH_ADMIN, email: 'email.ratelimit_sender.burst = 1000' },
    });
    api = adminClient(server, (await createAdminToken(file(), 'operator')).token);
  });
  beforeEach(() => {
    address = `guest${++number}@sample.test`;
  });
  afterAll(() => server.stop());

  const file = () => server.config.files[0] ?? '';
  const run = (...args: string[]) => runCommand('invites', ...args, '-c', file());
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).output);
  const rows = (sql: string, ...values: string[]) => server.database.execute(sql, values);
  const kept = (to: string) =>
    rows('select shown from cognomen_invite_mails where shown like ?', `%${to}%`);
  const idOf = async (to: string): Promise<number> => (await json('list', to))[0].id;

  /** Invites, and answers the mail's text and the token. */
  async function inviteWith(more: object = {}) {
    const url = `${server.url}/_matrix/identity/api/v1/store-invite`;
    const stored = await postJson(url, { ...INVITE, address, ...more });
    const { raw } = await server.smtp.nextMail();
    return { token: stored.json.token as string, mail: essence(raw) };
  }
  /** What a mail says, without what is new in each. */
  const essence = (raw: Buffer) =>
    raw
      .toString()
      .replaceAll(/^(Message-ID|Date):.*$/gim, '')
      .replaceAll(/boundary="?[^\s"]+|^--.*$/gm, '');
  const privateKeyIn = (mail: string) =>
    /private_key(?:=3D|=|%3D)([\w-]{43})/.exec(mail.replaceAll(/=\r\n/g, ''))?.[1] ?? 'none';
  async function withStorage<T>(
    work: (storage: Awaited<ReturnType<typeof openForCommand>>) => Promise<T>,
  ): Promise<T> {
    const storage = await openForCommand(server.config.db, pino({ level: 'silent' }));
    try {
      return await work(storage);
    } finally {
      await storage.close();
    }
  }

  test('goes out once more, word for word, by API and command, and is remembered', async () => {
    const more = { guest_access_token: 'syt_guest', room_type: 'm.space' };
    const { mail, token } = await inviteWith(more);
    const id = await idOf(address);
    const answer = await api.post('invites/resend', { id_or_address: id });
    expect([answer.status, answer.json]).toEqual([200, { sent: [id], not_sent: [] }]);
    expect(essence((await server.smtp.nextMail()).raw)).toBe(mail);
    expect(await run('resend', address.toUpperCase())).toEqual({
      status: 0,
      output: `${id}  sent\n`,
    });
    const again = essence((await server.smtp.nextMail()).raw);
    expect(again).toBe(mail);
    const signed = await postJson(`${server.url}/_matrix/identity/api/v1/sign-ed25519`, {
      mxid: '@g:sample.test',
      token,
      private_key: privateKeyIn(again),
    });
    expect(signed.json.sender).toBe('@ada:sample.test');

    const { output } = await runCommand('trace', address, '-c', file());
    expect(output.match(/sent once more by an operator/g)).toHaveLength(2);
    expect(output.match(/handed over/g)?.length).toBeGreaterThanOrEqual(2);
    const trail = (await api.get('audit/list', { address_or_mxid: address })).json.items;
    expect(trail).toContainEqual(
      expect.objectContaining({ action: 'invites resend', outcome: 'done', via: 'command' }),
    );
  });

  test('is kept without what is secret in it, and nobody is shown that', async () => {
    const { mail } = await inviteWith({ guest_access_token: 'syt_guest' });
    const secret = privateKeyIn(mail);
    expect(secret).toHaveLength(43);
    await run('resend', address);
    await server.smtp.nextMail();
    const shown = await runCommand('export', address, '-c', file());
    expect(shown.output).toContain('room_name');
    const database = JSON.stringify(await rows('select * from cognomen_invite_mails'));
    const told = await api.post('invites/resend', { id_or_address: address });
    for (const text of [database, shown.output, told.text, server.logs.join('')]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain('syt_guest');
    }
  });

  test('goes out five times an hour to an address, whoever asks at the same time', async () => {
    for (const room of ['!a:sample.test', '!b:sample.test']) {
      await invite(server, address, { room_id: room });
    }
    const before = server.smtp.mails.length;
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => api.post('invites/resend', { id_or_address: address })),
    );
    const all = answers.map(({ json: answer }) => answer);
    expect(all.flatMap(({ sent }) => sent)).toHaveLength(5);
    const refused = all.flatMap(({ not_sent: not }) => not);
    expect(refused).toHaveLength(3);
    expect(refused[0]).toMatchObject({ reason: 'limited', message: /try again in/ } as object);
    expect(server.smtp.mails.length - before).toBe(5);
    const command = await run('resend', address);
    expect(command).toMatchObject({ status: 1 });
    expect(command.output).toMatch(/not sent: 5 mails an hour .*; try again in \d+ minutes/);
    // To others mails go all the same.
    address = 'another@sample.test';
    await invite(server, address);
    expect((await run('resend', address)).status).toBe(0);
  });

  test('goes out again an hour later, the longest waiting first', async () => {
    await invite(server, address);
    const id = await idOf(address);
    await withStorage(({ stores }) => stores.invitations.noteResent('nothing', []));
    const [row] = (await rows('select token from invite_tokens where id = ?', String(id))) as [
      { token: string },
    ];
    const times = Array.from({ length: 5 }, () => Date.now() - HOUR - 1000);
    await withStorage(({ stores }) => stores.invitations.noteResent(row.token, times));
    expect(await json('resend', String(id))).toEqual({ sent: [id], not_sent: [] });
    const resent = await withStorage(({ stores }) => stores.invitations.resentTo(address));
    expect(resent).toEqual([{ token: row.token, times: [expect.any(Number)] }]);
  });

  test('does not go out to whom does not want it', async () => {
    await inviteWith();
    const id = await idOf(address);
    await refuseInvitations(server, address);
    expect(await json('resend', String(id))).toMatchObject({
      sent: [],
      not_sent: [{ id, reason: 'not_wanted' }],
    });
    await run('allow', address);
    expect(await json('resend', String(id))).toMatchObject({ sent: [id] });
    await expect
      .poll(() => server.smtp.mails.filter(({ to }) => to[0] === address))
      .toHaveLength(2);
  });

  test('that the relay refuses is told with its words', async () => {
    await invite(server, address);
    server.smtp.refuse(550);
    const id = await idOf(address);
    const answer = await api.post('invites/resend', { id_or_address: id });
    const failed = [{ id, reason: 'not_sent', message: expect.stringContaining('No such user') }];
    expect(answer.json).toEqual({ sent: [], not_sent: failed });
    expect(await run('resend', String(id))).toMatchObject({ status: 1 });
    server.smtp.refuse(undefined);
  });

  test('of Sydent, or of before, is not known, which is said', async () => {
    await rows(
      `insert into invite_tokens (medium, address, room_id, sender, token, received_ts)
       values ('email', ?, '!r:x.test', '@old:x.test', ?, 1893456000)`,
      address,
      `token${number}`,
    );
    const id = await idOf(address);
    const answer = await api.post('invites/resend', { id_or_address: id });
    expect([answer.status, answer.json.errcode]).toEqual([409, 'M_BAD_STATE']);
    expect(answer.json.error).toMatch(NOT_KNOWN);
    const command = await run('resend', address);
    expect(command.status).toBe(1);
    expect(command.output).toMatch(/^Not sent: what its mail said is not known: [^\n]+\n$/);
    const { json: audit } = await api.get('audit/list', { address_or_mxid: address });
    const failed = audit.items.filter(({ outcome }: { outcome: string }) => outcome === 'failed');
    expect(failed).toMatchObject([{ action: 'invites resend', via: 'command' }]);
  });

  test('that says very much is mailed, but not kept', async () => {
    await invite(server, address, { guest_note: 'x'.repeat(20_000) });
    expect((await run('resend', address)).output).toMatch(NOT_KNOWN);
    expect(await kept(address)).toEqual([]);
  });

  test('is opened by a former key, and by no other; changed by nobody', async () => {
    await invite(server, address);
    const folder = await temporaryFolder();
    const configuration = await readFile(file(), 'utf8');
    const other = path.join(folder.path, 'other.conf');
    const keys = (lines: string) =>
      writeFile(other, configuration.replace(/^ed25519\.signingkey.*$/m, lines));
    const resend = () => runCommand('invites', 'resend', address, '-c', other);
    try {
      await keys(`ed25519.signingkey = ${OTHER_KEY}`);
      const refused = await resend();
      expect(refused).toMatchObject({ status: 1 });
      expect(refused.output).toContain('ed25519.old_signing_keys');
      await keys(`ed25519.signingkey = ${OTHER_KEY}\ned25519.old_signing_keys = ${SIGNING_KEY}`);
      expect(await resend()).toMatchObject({ status: 0 });
      // Who can write to the database has it sent to nobody else.
      await rows(
        'update cognomen_invite_mails set shown = replace(shown, ?, ?)',
        address,
        'thief@evil.test',
      );
      expect(await run('resend', address)).toMatchObject({ status: 1 });
      expect(server.smtp.mails.flatMap(({ to }) => to)).not.toContain('thief@evil.test');
    } finally {
      await folder.remove();
    }
  });

  test.each<[string, (id: number, token: string) => Promise<unknown>]>([
    ['cancelled', () => run('cancel', address)],
    ['expired', (id) => run('expire', String(id))],
    ['erased', () => runCommand('erase', address, '--yes', '-c', file())],
    [
      'delivered, and kept so',
      (_id, token) =>
        withStorage(({ logTransaction }) =>
          logTransaction(({ invitations }) =>
            invitations.markDelivered([token], { keep: true, now: Date.now(), keysUntil: 0 }),
          ),
        ),
    ],
    [
      'delivered by an older version',
      async (_id, token) => {
        await rows('update invite_tokens set sent_ts = 1893456000 where token = ?', token);
        const { clock } = server;
        const rules = { expiry: 0, keyGrace: 0 };
        await withStorage((storage) => deleteOldInvitations(storage as never, clock, rules));
      },
    ],
    [
      'past its time',
      async (_id, token) => {
        await rows('update invite_tokens set received_ts = 1 where token = ?', token);
        const rules = { expiry: 20 * 365 * 24 * HOUR, keyGrace: 0 };
        const { clock } = server;
        await withStorage((storage) => deleteOldInvitations(storage as never, clock, rules));
      },
    ],
  ])('goes with an invitation that is %s', async (_what, end) => {
    const { token } = await inviteWith();
    const id = await idOf(address);
    expect(await kept(address)).toHaveLength(1);
    await end(id, token);
    expect(await kept(address)).toEqual([]);
    const answer = await api.post('invites/resend', { id_or_address: id });
    expect([answer.status, answer.json.errcode]).toEqual([404, 'M_NOT_FOUND']);
    const command = await run('resend', address);
    expect(command).toEqual({ status: 1, output: 'there is no such pending invitation\n' });
  });

  test('stays while its homeserver is told, and does not go out meanwhile', async () => {
    await invite(server, address);
    const id = await idOf(address);
    await bind(server, address, '@grace:nowhere.sample.test');
    expect(await kept(address)).toHaveLength(1);
    expect((await run('resend', String(id))).status).toBe(1);
    await postJson(`${server.internalUrl}/_matrix/identity/internal/unbind`, {
      medium: 'email',
      address,
      mxid: '@grace:nowhere.sample.test',
    });
    expect((await run('resend', String(id))).status).toBe(0);
  });

  test.each(['', 'nonsense', '@ada:sample.test', '1x', '9'.repeat(20)])(
    'is asked for by an id or an address, and not by %j',
    async (argument) => {
      expect(await run('resend', argument)).toMatchObject({ status: 2 });
      const answer = await api.post('invites/resend', { id_or_address: argument });
      expect([answer.status, answer.json.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    },
  );
});
