import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** What of an invitation people read, where a template shows it. */
const READ = [
  'sender_display_name',
  'room_name',
  'room_alias',
  'room_join_rules',
  'room_type',
  'sender',
  'sender_avatar_url',
  'room_avatar_url',
  'guest_user_id',
  'colour',
  'bracketed_room_name',
  'bracketed_verified_sender',
  'subject_header_value',
];
const TEMPLATE = `From: %(from)s
To: %(to)s
Subject: %(subject_header_value)s
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

${READ.map((name) => `${name}: %(${name})s\n`).join('')}
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: TestServer;
let token: string;
const SENDER = '@evil.com/x:sample.test';

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(path.join(folder.path, 'own'));
  await writeFile(path.join(folder.path, 'own', 'invite_template.eml'), TEMPLATE);
  server = await startTestServer({
    sections: {
      general: `templates.path = ${folder.path}`,
      email: 'email.ratelimit_sender.burst = 1000\nemail.invite.extra_fields = colour',
    },
  });
  token = await server.token(SENDER);
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

async function mailOf(more: Record<string, string>, brand = 'own') {
  const url = `${server.url}/_matrix/identity/v2/store-invite?brand=${brand}`;
  const address = 'grace@sample.test';
  const sent = { ...INVITE, sender: SENDER, address, ...more };
  expect((await postJson(url, sent, token)).status).toBe(200);
  return (await server.smtp.nextMail()).parsed;
}

test.each([
  ['https://evil.com/x', 'https evil com x'],
  ['ht\u200btps:/\u2060/ev\u00adil.com', 'https evil com'],
  ['x://y.com', 'x y com'],
  ['www.evil.com', 'www evil com'],
  ['w\u200cww.evil.com/', 'www evil com'],
  ['evil.com/x', 'evil com x'],
  ['evil\u{e0101}.com\ufe0f/x', 'evil com x'],
])('%j is read as words, and is a link nowhere', async (text, words) => {
  const names = READ.filter((name) => !/^(sender|bracketed_.*|subject_.*)$/.test(name));
  const mail = await mailOf(Object.fromEntries(names.map((name) => [name, text])));
  const shown = [...(mail.text ?? '').matchAll(/^(\w+): (.*)$/gm)].map(([, name, value]) => [
    name,
    value?.trim(),
  ]);
  expect(Object.fromEntries(shown)).toEqual({
    ...Object.fromEntries(names.map((name) => [name, words])),
    sender: '@evil com x sample test',
    bracketed_verified_sender: '(@evil com x sample test)',
    bracketed_room_name: `(${words})`,
    subject_header_value: expect.any(String),
  });
  expect(mail.subject).toBe(`${words} has invited you to chat`);
  // mailparser makes a link of whatever looks like one, scheme or not, and of what begins with @.
  expect(mail.textAsHtml).not.toMatch(/<a href="(?!https:\/\/twitter\.com\/evil")/);
});

test('names in any script arrive as they are, emoji and all', async () => {
  const mail = await mailOf({
    sender_display_name: 'می‌خواهم 🏴󠁧󠁢󠁥󠁮󠁧󠁿',
    room_name: 'ශ්‍රී 👩🏽‍🚀 葛\u{e0100} Node.js/React',
    room_alias: '#node.js:example.org',
    sender_avatar_url: 'mxc://example.org/abc_-1',
  });
  expect(mail.subject).toBe('می‌خواهم 🏴󠁧󠁢󠁥󠁮󠁧󠁿 has invited you to chat');
  expect(mail.text).toContain('room_name: ශ්‍රී 👩🏽‍🚀 葛\u{e0100} Node.js/React\n');
  expect(mail.text).toContain('room_alias: #node.js:example.org\n');
  expect(mail.text).toContain('sender_avatar_url: mxc://example.org/abc_-1\n');
});

test('a name that is cut in the middle of an emoji keeps nothing that cannot be seen', async () => {
  const mail = await mailOf({
    sender_display_name: `${'x'.repeat(18)}🏴󠁧󠁢󠁥󠁮󠁧󠁿`,
    room_name: `${'x'.repeat(23)}👨\u200d👩\u200d👧\u200d👦 and more`,
  });
  expect(mail.subject).toBe(`${'x'.repeat(18)}🏴… has invited you to chat`);
  expect(mail.text).toContain(`room_name: ${'x'.repeat(23)}👨…\n`);
});

test('the link of the stock mail has the names as they are read, and the ids as they are', async () => {
  const mail = await mailOf(
    {
      sender_display_name: 'https://evil.com/x',
      room_id: '!https://a.com/b:sample.test',
      guest_access_token: 'www.a.com/b',
      'org.matrix.web_client_location': 'https://chat.test',
    },
    'matrix-org',
  );
  const link = /https?:\/\/\S+\/#\/room\/\S+/.exec(mail.text ?? '')?.[0] ?? '';
  const { searchParams, pathname } = new URL(link.replace('/#', ''));
  expect(decodeURIComponent(pathname)).toBe('/room/!https://a.com/b:sample.test');
  expect(searchParams.get('inviter_name')).toBe('https evil com x');
  expect(searchParams.get('guest_access_token')).toBe('www.a.com/b');
  expect(mail.text).toContain('https evil com x (@evil com x sample test) has invited you');
});
