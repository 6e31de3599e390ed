import { simpleParser } from 'mailparser';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { renderMessage } from '../../src/delivery/mail/message.ts';
import { createBrands } from '../../src/delivery/templates/brands.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { TestClock } from '../support/server.ts';

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
    mxid: '@ada:sample.test',
    subject_header_value: '=?utf-8?B?R3LDvMOfZQ==?=',
    sender_display_name: 'Ada & <b>',
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
    const raw = renderMessage(template, { ...options, values: { ...values, ...more } }, deps);
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
      'Ada & <b> (@ada:sample.test) invites you to a conversation (Tea & "Biscuits") on',
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
    expect((await mail('invite', { room_type: 'm.space' })).plain).toContain('a space');
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
