import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { request } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: TestServer;
let token: string;
let number = 0;
const root = () => `${server.url}/_matrix/identity`;
const newAddress = () => `ada${number++}@sample.test`;

beforeAll(async () => {
  folder = await temporaryFolder();
  const own = path.join(folder.path, 'own');
  await mkdir(own);
  await writeFile(
    path.join(own, 'verification_template.eml.j2'),
    'To: {{ to|safe }}\nSubject: {{ lang }} {{ dir }}\n\n{{ t("verification.code")|safe }} {{ token }}\n',
  );
  await writeFile(
    path.join(own, 'invite_template.eml'),
    'To: %(to)s\nSubject: %(subject_header_value)s\n\n%(lang)s %(dir)s [%(sender_display_name)s]\n',
  );
  server = await startTestServer({
    sections: {
      general: `templates.path = ${folder.path}`,
      http: 'page.ask_before_validation = true',
      email: 'email.default_language = nl\nemail.ratelimit_sender.burst = 1000',
    },
  });
  token = await server.token('@ada:sample.test');
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

const post = (url: string, body: object, language: string | undefined, more: object = {}) =>
  request(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(language === undefined ? {} : { 'accept-language': language }),
      ...more,
    },
    body: JSON.stringify(body),
  });

async function verification(language: string | undefined, brand = '') {
  const url = `${root()}/api/v1/validate/email/requestToken${brand}`;
  const asked = { email: newAddress(), client_secret: 'secret', send_attempt: 1 };
  expect((await post(url, asked, language)).status).toBe(200);
  return (await server.smtp.nextMail()).parsed;
}

async function invitation(language: string | undefined, more: object = {}, version = 'api/v1') {
  const { brand = '', ...fields } = more as { brand?: string };
  const sent = { ...INVITE, address: newAddress(), ...fields };
  const headers = version === 'v2' ? { authorization: `Bearer ${token}` } : {};
  const url = `${root()}/${version}/store-invite${brand}`;
  expect((await post(url, sent, language, headers)).status).toBe(200);
  return (await server.smtp.nextMail()).parsed;
}

describe('the language of a mail', () => {
  test.each([
    ['de-AT,de;q=0.9,en;q=0.8', 'Bestätigen Sie Ihre E-Mail-Adresse für Matrix'],
    ['uk', 'Підтвердьте адресу електронної пошти для Matrix'],
    ['zh-CN', 'Bevestig uw e-mailadres voor Matrix'],
    [undefined, 'Bevestig uw e-mailadres voor Matrix'],
    [`${';q=,'.repeat(2000)}de`, 'Bevestig uw e-mailadres voor Matrix'],
  ])('that %j asks for is that of the request, else the default', async (language, subject) => {
    expect((await verification(language)).subject).toBe(subject);
  });

  test('of an invitation is what the homeserver asks for, else the default', async () => {
    expect((await invitation('pl')).subject).toBe('Ada zaprasza do rozmowy');
    expect((await invitation(undefined, { room_type: 'm.space' })).subject).toBe(
      'Ada nodigt u uit voor een ruimte',
    );
  });
});

describe('an invitation without a display name', () => {
  const nameless = { sender_display_name: '' };

  test('names the user who has shown an access token', async () => {
    const mail = await invitation('en', { ...nameless, sender: '@ada:sample.test' }, 'v2');
    expect(mail.subject).toBe('@ada:sample.test has invited you to chat');
    expect(mail.text).toContain('@ada:sample.test has invited you to the room Tea on Matrix.');
  });

  test('names nobody who has not', async () => {
    const mail = await invitation('en', { ...nameless, room_name: '' });
    expect(mail.subject).toBe('Someone has invited you to chat');
    expect(mail.text).toContain('Someone has invited you to a conversation on Matrix.');
  });

  test('reads well in an operator’s template, too, in which its values are what they were', async () => {
    const mail = await invitation('ar', { ...nameless, brand: '?brand=own' });
    expect(mail.subject).toBe('شخص ما has invited you to chat');
    expect(mail.text).toBe('ar rtl []\n');
  });
});

test('operators’ templates have the language and its words', async () => {
  const mail = await verification('fr', '?brand=own');
  expect(mail.subject).toBe('fr ltr');
  expect(mail.text).toMatch(
    /^Si votre application vous demande plutôt un code, le voici : \w{32}\n/,
  );
});

describe('the page of a link', () => {
  const opened = async (url: string, language: string) =>
    request(url, { headers: { 'accept-language': language } });
  const linkOf = async () => {
    const { text } = await verification('en');
    const { pathname, search } = new URL(/https:\/\/\S+submitToken\S+/.exec(text ?? '')?.[0] ?? '');
    return `${server.url}${pathname}${search}`;
  };

  test('speaks the language of who opens it, not of who asked', async () => {
    const url = await linkOf();
    for (const [language, dir, text] of [
      ['it', 'ltr', 'Confermi il Suo indirizzo e-mail'],
      ['ar', 'rtl', 'تأكيد عنوان بريدكم الإلكتروني'],
      ['xx', 'ltr', 'Bevestig uw e-mailadres'],
    ] as const) {
      const page = await opened(url, language);
      const lang = language === 'xx' ? 'nl' : language;
      expect(page.text).toContain(`<html lang="${lang}" dir="${dir}">`);
      expect(page.text).toContain(`<h1>${text}</h1>`);
    }
  });

  test('names the address, shortened, to nobody who has no right code', async () => {
    const url = await linkOf();
    expect((await opened(url, 'en')).text).toMatch(/a…\d@sample\.test/);
    for (const wrong of [
      url.replace(/token=\w+/, 'token=x'),
      url.replace(/token=\w+/, `token=${'x'.repeat(32)}`),
      url.replace('client_secret=secret', 'client_secret=other'),
      url.replace(/sid=\d+/, 'sid=1'),
    ]) {
      const page = await opened(wrong, 'en');
      expect(page.text).not.toContain('sample.test');
      const sent = wrong.replace('submitToken?', 'submitToken/confirm?');
      expect((await request(sent, { method: 'POST' })).text).not.toContain('sample.test');
    }
  });
});
