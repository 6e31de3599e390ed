import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** A template that shows each value on a line of its own, in the given syntax. */
function showing(syntax: 'percent' | 'jinja', names: readonly string[]): string {
  const value = (name: string) => (syntax === 'percent' ? `%(${name})s` : `{{ ${name} | safe }}`);
  return [
    `To: ${value('to')}`,
    `From: ${value('from')}`,
    `Message-Id: ${value('messageid')}`,
    `Date: ${value('date')}`,
    'Subject: of the template',
    'Content-Type: text/plain; charset=utf-8',
    '',
    syntax,
    ...names.map((name) => `${name}=[${value(name)}]`),
    '',
  ].join('\n');
}

/** What the lines of a mail show, by name. */
const shown = (text = '') =>
  Object.fromEntries(
    [...text.matchAll(/^([\w.]+)=\[(.*)\]$/gm)].map(([, name, value]) => [name, value]),
  );

const VERIFICATION = ['ipaddress', 'link', 'token', 'multipart_boundary'];
const INVITATION = [
  'token',
  'ephemeral_private_key',
  'subject_header_value',
  'web_client_location',
  'web_client_host',
  'bracketed_verified_sender',
  'bracketed_room_name',
  'sender_display_name',
  'room_name',
  'room_avatar_url',
  'sender_avatar_url',
  'guest_user_id',
  'guest_access_token',
  'room_type',
  'room_alias',
  'room_join_rules',
  'medium',
  'address',
  'room_id',
  'sender',
];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: TestServer;
let token: string;
let number = 0;
/** An address that no other test mails to. */
const newAddress = () => `ada${number++}@sample.test`;
const root = () => `${server.url}/_matrix/identity`;

const put = async (name: string, text: string) => {
  const file = path.join(folder.path, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
};

beforeAll(async () => {
  folder = await temporaryFolder();
  await put('old/verification_template.eml', showing('percent', VERIFICATION));
  await put('old/invite_template.eml', showing('percent', INVITATION));
  await put('old/verify_response_template.html', '<i style="width:100%%">old: %(message)s</i>');
  await put('new/verification_template.eml.j2', showing('jinja', VERIFICATION));
  await put('new/invite_template.eml.j2', showing('jinja', INVITATION));
  await put('new/verify_response_template.html', '<i>new: %(message)s</i>');
  server = await startTestServer({
    sections: {
      general: `templates.path = ${folder.path}\nbrand.default = old`,
      email:
        'email.ratelimit_sender.burst = 1000\nemail.subject = not used\nemail.default_web_client_location = https://chat.test\nemail.invite.subject_space = %(sender_display_name)s: %(room_name)s',
    },
  });
  token = await server.token('@ada:sample.test');
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

describe.each([
  ['old', '', 'percent'],
  ['new', '?brand=new', 'jinja'],
  ['old', '?brand=nobody', 'percent'],
])('the templates of brand %s, asked for by %j,', (brand, query, syntax) => {
  test('make the verification mail and its page', async () => {
    const asked = await postJson(`${root()}/api/v1/validate/email/requestToken${query}`, {
      email: newAddress(),
      client_secret: 'secret',
      send_attempt: 1,
    });
    const { sid } = asked.json;
    const { parsed, from } = await server.smtp.nextMail();
    expect(parsed.text).toContain(syntax);
    expect(parsed.subject).toBe('of the template');
    expect(parsed.messageId).toMatch(/@id\.test>$/);
    expect(parsed.date?.getTime()).toBe(server.clock.now());
    expect([from, parsed.from?.text]).toEqual(['noreply@id.test', '"Cognomen" <noreply@id.test>']);
    const values = shown(parsed.text);
    expect(values).toEqual({
      ipaddress: '127.0.0.1',
      link: expect.stringContaining(`sid=${sid}`),
      token: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
      multipart_boundary: expect.stringMatching(/./),
    });
    const { pathname, search } = new URL(values['link'] ?? '');
    const opened = await get(`${server.url}${pathname}${search}`);
    expect(opened.status).toBe(200);
    expect(opened.text).toMatch(brand === 'old' ? /^<i style="width:100%">old: \S/ : /^<i>new: \S/);
  });

  test.each(['api/v1', 'v2'])('make the mail of an invitation by %s', async (version) => {
    const invitation = {
      ...INVITE,
      address: newAddress(),
      room_type: 'm.space',
      room_alias: '#tea:a.test',
      ...{
        sender_avatar_url: 'mxc://a/b',
        guest_user_id: '@9:a.test',
        guest_access_token: 'guest',
      },
    };
    const stored = await postJson(
      `${root()}/${version}/store-invite${query}`,
      invitation,
      version === 'v2' ? token : undefined,
    );
    expect(stored.status).toBe(200);
    const { parsed } = await server.smtp.nextMail();
    expect(parsed.text).toContain(syntax);
    const { medium, room_join_rules, room_avatar_url, room_id, sender } = INVITE;
    expect(shown(parsed.text)).toEqual({
      token: stored.json.token,
      ephemeral_private_key: expect.stringMatching(/^[\w+/-]{43}$/),
      subject_header_value: 'Ada: Tea',
      web_client_location: 'https://chat.test',
      web_client_host: 'chat.test',
      bracketed_verified_sender: version === 'v2' ? '(@ada:sample.test) ' : '',
      bracketed_room_name: '(Tea) ',
      sender_display_name: 'Ada',
      room_name: 'Tea',
      medium,
      room_join_rules,
      room_avatar_url,
      room_id,
      sender,
      ...{
        sender_avatar_url: 'mxc://a/b',
        guest_user_id: '@9:a.test',
        guest_access_token: 'guest',
      },
      room_type: 'm.space',
      room_alias: '#tea:a.test',
      address: invitation.address,
    });
  });
});

test('the deprecated single files win over every brand', async () => {
  const lines = (name: string, file: string) => `${name} = ${file}`;
  const other = await startTestServer({
    sections: {
      general: `templates.path = ${folder.path}\nbrand.default = new`,
      http: lines('verify_response_template', await put('page.html', 'single: %(message)s')),
      email: [
        lines('email.template', await put('mail.eml', showing('percent', ['token']))),
        lines('email.invite_template', await put('invite.eml', showing('percent', ['token']))),
      ].join('\n'),
    },
  });
  try {
    const v1 = `${other.url}/_matrix/identity/api/v1`;
    await postJson(`${v1}/validate/email/requestToken?brand=new`, {
      email: 'ada@sample.test',
      client_secret: 'secret',
      send_attempt: 1,
    });
    expect((await other.smtp.nextMail()).parsed.text).toContain('percent\ntoken=');
    await postJson(`${v1}/store-invite?brand=new`, { ...INVITE, address: 'x@sample.test' });
    expect((await other.smtp.nextMail()).parsed.text).toContain('percent\ntoken=');
    const query = { sid: '1', client_secret: 'secret', token: 'x', brand: 'new' };
    const page = await get(`${v1}/validate/email/submitToken`, query);
    expect(page.text).toMatch(/^single: /);
  } finally {
    await other.stop();
  }
});

test('values of %-templates come in forms for HTML and URLs', async () => {
  await put(
    'forms/invite_template.eml',
    `${showing('percent', ['sender_display_name_forhtml', 'sender_display_name_forurl'])}100%%\n`,
  );
  const v1 = `${root()}/api/v1`;
  const sender_display_name = 'A & <b> "ü/~"';
  await postJson(`${v1}/store-invite?brand=forms`, {
    ...INVITE,
    sender_display_name,
    address: 'forms@sample.test',
  });
  const { parsed } = await server.smtp.nextMail();
  expect(parsed.text).toContain('100%\n');
  expect(shown(parsed.text)).toEqual({
    sender_display_name_forhtml: 'A &amp; &lt;b&gt; &#34;ü/~&#34;',
    sender_display_name_forurl: 'A%20%26%20%3Cb%3E%20%22%C3%BC/~%22',
  });
});

test('the server greets the relay by email.hostname', async () => {
  const greeted = Promise.withResolvers<string>();
  const other = await startTestServer({
    smtp: {
      onMailFrom(_address, session, done) {
        greeted.resolve(session.hostNameAppearsAs);
        done();
      },
    },
  });
  try {
    await postJson(`${other.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      email: 'ada@sample.test',
      client_secret: 'secret',
      send_attempt: 1,
    });
    expect(await greeted.promise).toBe('id.test');
  } finally {
    await other.stop();
  }
});
