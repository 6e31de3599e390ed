import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isWithoutBrowser, launchBrowser } from './support/browser.ts';
import { temporaryFolder } from './support/databases.ts';
import { inBrowser, LOOKS, look, SIZES } from './support/faces.ts';
import { postJson } from './support/http.ts';
import { INVITE } from './support/invitations.ts';
import { writeLogo } from './support/logo.ts';
import { startTestServer, type TestServer } from './support/server.ts';

const DAY = 24 * 60 * 60 * 1000;

let browser: Browser;
let server: TestServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let number = 0;
const root = () => `${server.url}/_matrix/identity`;

beforeAll(async () => {
  if (isWithoutBrowser) return;
  browser = await launchBrowser();
  folder = await temporaryFolder();
  server = await startTestServer({
    sections: {
      general: [
        'operator.name = Example Cooperative',
        `operator.logo = ${await writeLogo(folder.path)}`,
        'operator.privacy_url = https://example.org/privacy',
        'operator.contact = help@example.org',
      ].join('\n'),
      http: 'page.ask_before_validation = true',
      email: 'email.ratelimit_sender.burst = 1000\nemail.invite.expiry_days = 90',
    },
  });
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await folder?.remove();
});

/** Mails a link to a new address; the mail, and the link as this machine can open it. */
async function mailed(language = 'en') {
  const asked = await fetch(
    `${root()}/v2/validate/email/requestToken`.replace('/v2/', '/api/v1/'),
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-language': language },
      body: JSON.stringify({
        email: `grace${number++}.hopper@example.org`,
        client_secret: 'secret',
        send_attempt: 1,
      }),
    },
  );
  expect(asked.status).toBe(200);
  const { parsed } = await server.smtp.nextMail();
  const link = new URL(/https:\/\/\S+submitToken\S+/.exec(parsed.text ?? '')?.[0] ?? '');
  return { parsed, url: `${server.url}${link.pathname}${link.search}` };
}

describe.skipIf(isWithoutBrowser)('in a browser', () => {
  test.each(LOOKS)(
    'the pages of links keep nobody out: $colorScheme, $size, $language',
    async ({ colorScheme, size, language }) => {
      const { url } = await mailed(language);
      const name = `${colorScheme}-${size}-${language}`;
      await inBrowser(
        browser,
        { colorScheme, viewport: SIZES[size], locale: language },
        async (page) => {
          const hosts = new Set<string>();
          const problems: string[] = [];
          page.on('request', (request) => hosts.add(new URL(request.url()).host));
          page.on('console', (message) => {
            if (message.type() === 'error' && !message.text().includes('status of 4')) {
              problems.push(message.text());
            }
          });
          await page.goto(url);
          expect(await page.getAttribute('html', 'lang')).toBe(language);
          expect(await page.getAttribute('html', 'dir')).toBe(language === 'ar' ? 'rtl' : 'ltr');
          const headings = new Set<string | null>();
          const shown = async (outcome: string, address: string | undefined) => {
            await look(page, `page-${outcome}-${name}`);
            headings.add(await page.textContent('h1'));
            const text = (await page.textContent('body')) ?? '';
            if (address === undefined) expect(text).not.toContain('@example.org</');
            else expect(await page.textContent('.address')).toBe(address);
            expect(text).toContain('Example Cooperative');
            expect(text).toContain('id.test');
            expect(await page.getAttribute('footer a >> nth=0', 'href')).toBe(
              'https://example.org/privacy',
            );
            expect(await page.evaluate('document.querySelector("header img").naturalWidth')).toBe(
              96,
            );
          };
          const address = 'g…r@example.org';
          await shown('ask', address);
          await page.click('button');
          await shown('proven', address);
          await page.goto(url.replace(/token=\w+/, 'token=wrong'));
          expect(await page.isVisible('.address')).toBe(false);
          await page.goto(`${url.split('?')[0]}?sid=1`);
          await shown('failed', undefined);
          const late = (await mailed(language)).url;
          server.clock.advance(DAY);
          await page.goto(late);
          await page.click('button');
          await shown('expired', address);
          expect(headings.size).toBe(4);
          expect([...hosts]).toEqual([new URL(server.url).host]);
          expect(problems).toEqual([]);
        },
      );
    },
  );

  test.each(LOOKS)(
    'the mails keep nobody out: $colorScheme, $size, $language',
    async ({ colorScheme, size, language }) => {
      const invitation = await fetch(`${root()}/api/v1/store-invite`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'accept-language': language },
        body: JSON.stringify({ ...INVITE, address: `ada${number++}@sample.test` }),
      });
      expect(invitation.status).toBe(200);
      const mails = {
        invitation: (await server.smtp.nextMail()).parsed,
        verification: (await mailed(language)).parsed,
      };
      for (const [kind, { html }] of Object.entries(mails)) {
        await inBrowser(browser, { colorScheme, viewport: SIZES[size] }, async (page) => {
          await page.setContent(html || '');
          await look(page, `mail-${kind}-${colorScheme}-${size}-${language}`);
        });
      }
    },
  );

  test.each(LOOKS.filter(({ size }) => size === 'phone'))(
    'the pages by which invitations are refused keep nobody out: $colorScheme, $language',
    async ({ colorScheme, size, language }) => {
      await postJson(`${root()}/api/v1/store-invite`, {
        ...INVITE,
        address: `grace${number++}@sample.test`,
      });
      const { headerLines } = (await server.smtp.nextMail()).parsed;
      const header = headerLines.find(({ key }) => key === 'list-unsubscribe')?.line ?? '';
      const link = new URL(/<(.*)>/.exec(header)?.[1] ?? '');
      const name = `${colorScheme}-${size}-${language}`;
      await inBrowser(
        browser,
        { colorScheme, viewport: SIZES[size], locale: language },
        async (page) => {
          await page.goto(`${server.url}${link.pathname}${link.search}`);
          await look(page, `page-refuse-${name}`);
          await page.click('button');
          await page.waitForSelector('main:not(:has(button))');
          await look(page, `page-refused-${name}`);
          await page.goto(`${server.url}${link.pathname}?token=x`);
          await look(page, `page-broken-${name}`);
        },
      );
    },
  );

  test('the pages work without JavaScript, by keyboard alone', async () => {
    const { url } = await mailed();
    await inBrowser(browser, { javaScriptEnabled: false }, async (page) => {
      await page.goto(url);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForURL('**/confirm?**');
      expect(await page.textContent('h1')).toBe('Your email address is confirmed');
    });
  });

  test('a mail can be read without its styles', async () => {
    const { parsed } = await mailed();
    const bare = (parsed.html || '').replace(/<style>.*?<\/style>| style="[^"]*"/gs, '');
    await inBrowser(browser, { viewport: SIZES.phone }, async (page) => {
      await page.setContent(bare);
      expect(await page.isVisible('text=Confirm email address')).toBe(true);
      const link = page.locator('a', { hasText: 'Confirm email address' });
      expect(await link.getAttribute('href')).toContain('submitToken');
    });
  });
});
