import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TEXTS } from './fuzz/corpus.ts';
import { isWithoutBrowser, launchBrowser } from './support/browser.ts';
import { temporaryFolder } from './support/databases.ts';
import { inBrowser, LOOKS, look, SIZES } from './support/faces.ts';
import { postJson } from './support/http.ts';
import { bind, INVITE } from './support/invitations.ts';
import { writeLogo } from './support/logo.ts';
import { codeMailTo, OWNER_PAGE, WITH_OWNER_PAGE } from './support/owner-page.ts';
import { startTestServer, type TestServer } from './support/server.ts';

const GRACE = '@grace:example.org';
/** So many invitations the page shows at once, the oldest first. */
const AT_ONCE = 25;
const SUBMIT = 'form:visible button[type=submit]';

let browser: Browser;
let server: TestServer;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let number = 0;
const pageUrl = () => `${server.url}${OWNER_PAGE}`;
const newAddress = () => `grace${number++}.hopper@sample.test`;

beforeAll(async () => {
  if (isWithoutBrowser) return;
  browser = await launchBrowser();
  folder = await temporaryFolder();
  server = await startTestServer({
    sections: {
      general: [
        WITH_OWNER_PAGE,
        'operator.name = Example Cooperative',
        `operator.logo = ${await writeLogo(folder.path)}`,
        'operator.privacy_url = https://example.org/privacy',
      ].join('\n'),
      email: 'email.ratelimit_sender.burst = 1000\nemail.ratelimit_recipient.burst = 1000',
    },
  });
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await folder?.remove();
});

/** Types in the address and the code that came. */
async function prove(page: Page, address: string): Promise<void> {
  await page.goto(pageUrl());
  await page.fill('#address', address);
  await page.click(SUBMIT);
  await page.waitForSelector('#code');
  await page.fill('#code', (await codeMailTo(server, address)).code);
  await page.click(SUBMIT);
  await page.waitForSelector('h2');
}

const inviteTo = async (address: string, more: object = {}) =>
  postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, { ...INVITE, address, ...more });

describe.skipIf(isWithoutBrowser)('the owners’ page in a browser', () => {
  test.each(LOOKS)(
    'keeps nobody out, step by step: $colorScheme, $size, $language',
    { timeout: 120_000 },
    async ({ colorScheme, size, language }) => {
      const address = newAddress();
      const name = `owner-${colorScheme}-${size}-${language}`;
      await inviteTo(address);
      await inviteTo(address, { room_name: '', sender_display_name: '', room_type: 'm.space' });
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
          await page.goto(pageUrl());
          expect(await page.getAttribute('html', 'lang')).toBe(language);
          expect(await page.getAttribute('html', 'dir')).toBe(language === 'ar' ? 'rtl' : 'ltr');
          await look(page, `${name}-1-address`);
          await page.fill('#address', 'nothing@');
          await page.click(SUBMIT);
          await page.waitForSelector('[role=alert]');
          await look(page, `${name}-2-no-address`);
          await page.fill('#address', address);
          await page.click(SUBMIT);
          await page.waitForSelector('#code');
          await look(page, `${name}-3-code`);
          await page.fill('#code', 'AAAA3333');
          await page.click(SUBMIT);
          await page.waitForSelector('[role=alert]');
          await look(page, `${name}-4-wrong-code`);
          await page.fill('#code', (await codeMailTo(server, address)).code);
          await page.click(SUBMIT);
          await page.waitForSelector('.invitations');
          expect(await page.locator('.invitations li').count()).toBe(2);
          await look(page, `${name}-5-invited`);
          await page.click('form[action$=decline] button >> nth=0');
          await expect.poll(() => page.locator('.invitations li').count()).toBe(1);
          await bind(server, address, GRACE);
          await page.click('form[action$=invitations] button');
          await page.waitForSelector('input[name=mailed][value=yes]', { state: 'attached' });
          for (const summary of await page.locator('summary').all()) await summary.click();
          await look(page, `${name}-6-found`);
          expect(await page.textContent('body')).toContain(GRACE);
          await page.click('form[action$=stop] button');
          await page.waitForSelector('.nowhere');
          await look(page, `${name}-7-found-no-more`);
          await page.locator('summary').last().click();
          await page.click('form[action$=erase] button');
          await page.waitForSelector('.notice.good');
          await look(page, `${name}-8-erased`);
          expect([...hosts]).toEqual([new URL(server.url).host]);
          expect(problems).toEqual([]);
          expect((await page.context().cookies()).length).toBe(1);
        },
      );
      const { html } = (await codeMailToAnew(address, language)).parsed;
      await inBrowser(browser, { colorScheme, viewport: SIZES[size] }, async (page) => {
        await page.setContent(html || '');
        await look(page, `${name}-mail`);
      });
    },
  );

  /** A mail with a code, in that language. */
  async function codeMailToAnew(address: string, language: string) {
    await inBrowser(browser, { locale: language }, async (page) => {
      await page.goto(pageUrl());
      await page.fill('#address', address);
      await page.click(SUBMIT);
      await page.waitForSelector('#code');
    });
    return codeMailTo(server, address);
  }

  test('takes three steps to be found no more, by keyboard alone and without JavaScript', async () => {
    const address = newAddress();
    await bind(server, address, GRACE);
    await inBrowser(browser, { javaScriptEnabled: false }, async (page) => {
      await page.goto(pageUrl());
      // The links of the header and footer come before and behind.
      await page.keyboard.press('Tab');
      await page.keyboard.type(address);
      await page.keyboard.press('Enter');
      await page.waitForSelector('#code:focus');
      await page.keyboard.type((await codeMailTo(server, address)).code);
      await page.keyboard.press('Enter');
      await page.waitForSelector('h2');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.nowhere');
      expect(await page.textContent('.nowhere')).toContain(address);
      // What folds out does so by keyboard, too.
      await page.locator('summary').last().focus();
      await page.keyboard.press('Enter');
      expect(await page.isVisible('form[action$=erase] button')).toBe(true);
    });
  });

  test('gives what is kept as a file', async () => {
    const address = newAddress();
    await inBrowser(browser, { acceptDownloads: true }, async (page) => {
      await prove(page, address);
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.click('a[download]'),
      ]);
      expect(download.suggestedFilename()).toBe('my-address.json');
      const chunks: Buffer[] = [];
      for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
      expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ address });
    });
  });

  test('forgets a browser that is done, and shows nothing to whoever goes back', async () => {
    const address = newAddress();
    await inBrowser(browser, {}, async (page, context) => {
      await prove(page, address);
      await page.click('form[action$=leave] button');
      await page.waitForSelector('#address');
      const given = await context.cookies();
      await page.goBack();
      expect(await page.textContent('body')).not.toContain(address);
      expect(given).toHaveLength(1);
    });
  });

  test('shows hostile texts as text, wherever they come from', { timeout: 120_000 }, async () => {
    const hostile = [
      '<img src=x onerror=alert(1)>',
      '"><script>alert(1)</script>',
      '{{ form_token }}',
      '__proto__',
      'https://evil.test/',
      ...TEXTS.filter((text) => text.isWellFormed() && !text.includes('\0')),
    ];
    const expectNoMarkup = async (page: Page) => {
      const made = await page.locator('main :is(script, img, b, i, iframe, svg, style)').count();
      expect(made).toBe(0);
      const hosts = (await page.evaluate(
        '[...document.querySelectorAll("main a")].map(({ origin }) => origin)',
      )) as string[];
      const known = [server.url, 'https://app.element.io'];
      expect(hosts.filter((host) => !known.includes(host))).toEqual([]);
    };
    for (let first = 0; first < hostile.length; first += AT_ONCE) {
      const address = newAddress();
      const texts = hostile.slice(first, first + AT_ONCE);
      let taken = 0;
      for (const [index, text] of texts.entries()) {
        const names = { room_name: text, sender_display_name: text, room_avatar_url: text };
        const stored = await inviteTo(address, {
          ...names,
          room_id: `!${index}${text}`.slice(0, 100),
          sender: '@a:b',
        });
        expect([200, 400]).toContain(stored.status);
        if (stored.status === 200) taken++;
      }
      await inBrowser(browser, {}, async (page) => {
        const dialogs: string[] = [];
        page.on('dialog', (dialog) => {
          dialogs.push(dialog.message());
          dialog.dismiss();
        });
        await prove(page, address);
        expect(await page.locator('.invitations li').count()).toBe(taken);
        expect(taken).toBeGreaterThan(5);
        await expectNoMarkup(page);
        const invited = (await page.textContent('.invitations')) ?? '';
        if (first === 0) for (const text of texts.slice(0, 4)) expect(invited).toContain(text);
        await look(page, `owner-hostile-invitations-${first}`);
        await bind(server, address, '@<b>"x\':sample.test');
        await page.goto(pageUrl());
        for (const summary of await page.locator('summary').all()) await summary.click();
        await expectNoMarkup(page);
        expect(await page.textContent('main')).toContain('@<b>"x\':sample.test');
        expect(dialogs).toEqual([]);
        await look(page, `owner-hostile-${first}`);
      });
    }
  });
});
