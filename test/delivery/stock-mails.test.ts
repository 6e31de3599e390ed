import { simpleParser } from 'mailparser';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { renderMessage } from '../../src/delivery/mail/message.ts';
import { createBrands } from '../../src/delivery/templates/brands.ts';
import { SAMPLES } from '../../src/delivery/templates/samples.ts';
import { createCatalogues } from '../../src/delivery/templates/words.ts';
import { LANGUAGES } from '../../src/model/languages.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { TestClock } from '../support/server.ts';
import { WORDS } from '../support/words.ts';

const deps = { clock: new TestClock(), random: secureRandom };
const options = {
  from: 'Cognomen <a@id.test>',
  to: 'ada@sample.test',
  messageId: '<1@id.test>',
  values: {},
};

describe.each(['matrix-org', 'vector-im'])('the stock mails of %s', (brand) => {
  const stock = createBrands(
    { templatesPath: '/nowhere', defaultBrand: brand, singleFiles: {} },
    { clock: systemClock, logger: pino({ level: 'silent' }) },
  );
  const link = 'https://id.test/x?token=a&sid=1&client_secret=%3D';
  const values = {
    link,
    token: 'T0K3N',
    ipaddress: '192.0.2.1',
    client_address: '192.0.2.1',
    valid_hours: '24',
    server_name: 'id.test',
    mxid: '@ada:sample.test',
    subject_header_value: '=?utf-8?B?R3LDvMOfZQ==?=',
    sender_display_name: 'Ada & <b>',
    verified_sender: '@ada:sample.test',
    bracketed_verified_sender: '(@ada:sample.test) ',
    bracketed_room_name: '(Tea & "Biscuits") ',
    room_id: '!a/b:sample.test',
    room_name: 'Tea & "Biscuits"',
    web_client_location: 'https://app.test',
    web_client_host: 'app.test',
    signurl: 'https://id.test/_matrix/identity/v2/sign-ed25519?token=x&private_key=y_-',
  };
  const mail = async (kind: 'verification' | 'invite' | 'migration', more = {}) => {
    const { render: template } = await stock.find(kind, brand);
    const render = (all: Record<string, string>) => template(all, WORDS);
    const raw = renderMessage(render, { ...options, values: { ...values, ...more } }, deps);
    const text = raw.toString();
    expect(text).toMatch(/^Date: /);
    expect(text).toMatch(/^Auto-Submitted: auto-generated\r$/m);
    expect(text).not.toMatch(/[^\r]\n|\{[{%]/);
    for (const line of text.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
    const parsed = await simpleParser(raw);
    expect(parsed.from?.text).toBe('"Cognomen" <a@id.test>');
    expect([parsed.to].flat()[0]?.text).toBe('ada@sample.test');
    expect(parsed.messageId).toMatch(/@id\.test>$/);
    const html = parsed.html || '';
    expect(html).toContain('prefers-color-scheme: dark');
    expect(html).not.toMatch(/<(img|script|link)|url\(/);
    return { parsed, html, plain: parsed.text ?? '' };
  };

  test('verification', async () => {
    const { parsed, html, plain } = await mail('verification');
    expect(parsed.subject).toMatch(/Confirm your email address/);
    expect(plain).toContain(`\n${link}\n`);
    expect(plain).toContain('T0K3N');
    expect(plain).toContain('192.0.2.1');
    expect(html).toContain(`href="${link.replaceAll('&', '&amp;')}"`);
  });

  test('verification, with a very long link', async () => {
    const longLink = `https://${'id.'.repeat(80)}test/_matrix/identity/api/v1/validate/email/submitToken?token=${'a'.repeat(32)}&client_secret=${'%3D'.repeat(255)}&sid=9007199254740991`;
    const { html, plain } = await mail('verification', { link: longLink });
    expect(plain).toContain(`\n${longLink}\n`);
    expect(html).toContain(`href="${longLink.replaceAll('&', '&amp;')}"`);
  });

  test('invitation', async () => {
    const { parsed, html, plain } = await mail('invite');
    expect(parsed.subject).toBe('Grüße');
    expect(plain).toContain(
      'Ada & <b> (@ada:sample.test) has invited you to the room Tea & "Biscuits" on',
    );
    expect(html).toContain('Ada &amp; &lt;b&gt;');
    const url = new URL(/https:\/\/app\.test\S+/.exec(plain)?.[0].replace('/#', '') ?? '');
    expect(url.pathname).toBe('/room/!a%2Fb%3Asample.test'.replace('!', '%21'));
    expect(Object.fromEntries(url.searchParams)).toEqual({
      email: 'ada@sample.test',
      signurl: values.signurl,
      room_name: values.room_name,
      room_avatar_url: '',
      inviter_name: values.sender_display_name,
      guest_access_token: '',
      guest_user_id: '',
      room_type: '',
    });
    expect((await mail('invite', { room_type: 'm.space' })).plain).toContain('the space Tea');
    await mail('invite', {
      room_avatar_url: `mxc://${'é'.repeat(1000)}`,
      sender_display_name: 'é'.repeat(900),
    });
  });

  test('invitation, to the address as the homeserver wrote it', async () => {
    // The binding that answers the invitation has to be of this very address.
    const { plain } = await mail('invite', { address: 'ada@münch.test' });
    expect(plain).toContain('?email=ada%40m%C3%BCnch.test&');
  });

  test('invitation, with a web client that would be more than a link', async () => {
    const { html } = await mail('invite', { web_client_location: 'https://x.test/"><b>' });
    expect(html).toContain('href="https://x.test/&quot;&gt;&lt;b&gt;/#/room/');
    expect(html).toContain('&amp;room_name=');
  });

  test('migration', async () => {
    const { plain } = await mail('migration');
    expect(plain).toContain('@ada:sample.test');
  });
});

/** The texts of a mail's HTML, each of a block, as they are read. */
const textsOf = (html: string): string[] =>
  html
    .replace(/^.*<body/s, '<body')
    .split(/<(?!\/?(?:a|bdi|strong)\b)[^>]*>/)
    .map((block) =>
      block
        .replace(/<[^>]*>/g, '')
        .replace(/&(\w+|#\d+);/g, (entity, name) =>
          name.startsWith('#')
            ? String.fromCodePoint(Number(name.slice(1)))
            : ({ amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '' }[name as string] ?? entity),
        )
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((text) => text !== '');

describe.each(LANGUAGES)('the mails in %s', (language) => {
  const stock = createBrands(
    { templatesPath: '/nowhere', defaultBrand: 'matrix-org', singleFiles: {} },
    { clock: systemClock, logger: pino({ level: 'silent' }) },
  );
  const operator = {
    server_name: 'id.example.org',
    operator_name: 'Example & Söhne',
    operator_privacy_url: 'https://example.org/privacy?a=1&b=2',
    operator_contact: 'help@example.org',
    operator_contact_url: 'mailto:help@example.org',
  };
  const mails = SAMPLES.filter(({ kind }) => kind !== 'page' && kind !== 'confirm');

  test.each(mails)('$name: text and HTML say the same', async ({ kind, values }) => {
    const words = await createCatalogues().in(language);
    const { render } = await stock.find(kind, undefined);
    const raw = renderMessage(
      (all) => render(all, words),
      { ...options, values: { ...operator, ...values } },
      deps,
    );
    const parsed = await simpleParser(raw);
    const plain = (parsed.text ?? '').replace(/[\u2068\u2069]/g, '');
    const html = textsOf(parsed.html || '');
    const title = html.shift();
    expect(title).toBe(words.t(`${kind}.title`));
    expect(parsed.subject).not.toMatch(/undefined|\{/);
    expect(parsed.headers.get('content-language')).toBe(language);
    const copyHint = words.t('verification.link');
    const buttons = ['verification.button', 'invite.button', 'invite.refuse'].map((key) =>
      words.t(key),
    );
    const fromHtml = html.filter((text) => text !== copyHint);
    const fromPlain = plain
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && line !== '--');
    const linkTo = (line: string) => (parsed.html || '').includes(line.replaceAll('&', '&amp;'));
    for (const text of fromHtml) expect(plain).toContain(text);
    for (const line of fromPlain) {
      const isButton = buttons.includes(line.replace(/:$/, ''));
      if (isButton) expect(html).toContain(line.slice(0, -1));
      else if (line.startsWith('https:')) expect([line, linkTo(line)]).toEqual([line, true]);
      else expect(html.join(' ')).toContain(line);
    }
    for (const text of [plain, ...html]) expect(text).not.toMatch(/undefined|[{}]| {2}|\(\)/);
  });
});
