import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { isWithoutBrowser, launchBrowser } from '../support/browser.ts';
import { temporaryFolder } from '../support/databases.ts';
import { request } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { goTo, openConsole, settled } from './console-page.ts';

const TIME = { timeout: 240_000 };
const HOSTILE = `<!DOCTYPE html><title>x</title><style>p { color: rgb(1, 2, 3) }
@media (prefers-color-scheme: dark) { p { color: rgb(7, 8, 9) } }</style>
<p>Hostile <a href="/" target="_top">out</a></p>
<script>parent.postMessage('dark', '*'); top.location = '/nowhere'; alert(1)</script>
<script src="/preview"></script><img src="/_cognomen/admin/v1/about" onerror="alert(2)">
<form action="/_cognomen/admin/v1/about" target="_top"><button>Send</button></form>
<iframe src="/"></iframe>`;

describe.skipIf(isWithoutBrowser)('the messages of the console', () => {
  let browser: Browser;
  let server: TestServer;
  let token: string;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    browser = await launchBrowser();
    folder = await temporaryFolder();
    await mkdir(path.join(folder.path, 'hostile'));
    await writeFile(path.join(folder.path, 'hostile/verify_response_template.html.j2'), HOSTILE);
    server = await startTestServer({
      now: Date.now(),
      sections: { admin: WITH_ADMIN, general: `templates.path = ${folder.path}` },
    });
    token = (await createAdminToken(server.config.files[0] ?? '', 'viewer')).token;
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await folder?.remove();
  });

  const preview = (page: Page) => page.locator('iframe.preview-frame').contentFrame();
  const inFrame = (page: Page, script: string) =>
    page
      .frames()
      .find((one) => one.url().endsWith('/preview'))
      ?.evaluate(script);
  const choose = async (page: Page, label: string, option: string) => {
    await page.getByLabel(label, { exact: true }).selectOption(option);
    await settled(page);
  };

  test('show every template as people see it, in the colours that are chosen', TIME, async () => {
    // What Playwright emulates would go over what the frame says.
    const { page, problems, close } = await openConsole(browser, server, token, {
      colorScheme: null,
    });
    await goTo(page, 'Messages');
    const templates = page.getByLabel('Mail or page').locator('option');
    const names = await templates.evaluateAll((all) =>
      all.map((one) => (one as unknown as { value: string }).value),
    );
    expect(names).toContain('verification');
    for (const name of names) {
      await choose(page, 'Mail or page', name);
      for (const scheme of ['light', 'dark']) {
        await choose(page, 'Colours', scheme);
        await preview(page).locator('h1, h2, p').first().waitFor();
        await expect
          .poll(() => inFrame(page, `matchMedia('(prefers-color-scheme: dark)').matches`))
          .toBe(scheme === 'dark');
      }
    }
    await choose(page, 'Language', 'ar');
    await expect.poll(() => preview(page).locator('html').getAttribute('dir')).toBe('rtl');
    await choose(page, 'Width', 'desktop');
    await preview(page).locator('h1, h2, p').first().waitFor();
    expect((await page.locator('iframe.preview-frame').boundingBox())?.width).toBe(800);
    expect(await page.getByText('Your browser shows frames').count()).toBe(0);
    const folderOfShots = process.env['SCREENSHOTS'];
    await page.locator('iframe.preview-frame').scrollIntoViewIfNeeded();
    if (folderOfShots) await page.screenshot({ path: `${folderOfShots}/preview.png` });
    await close();
    expect(problems).toEqual([]);
  });

  test('say so where the browser does not give a frame its colours', TIME, async () => {
    const { page, close } = await openConsole(browser, server, token, { colorScheme: 'light' });
    await goTo(page, 'Messages');
    await choose(page, 'Colours', 'dark');
    await page.getByText('Your browser shows frames in its own colours only').waitFor();
    await close();
  });

  test(
    'let nothing of a hostile template run, load, leave or reach the console',
    TIME,
    async () => {
      const { page, problems, requests, close } = await openConsole(browser, server, token, {
        colorScheme: null,
      });
      await goTo(page, 'Messages');
      await choose(page, 'Mail or page', 'proven');
      await choose(page, 'Brand', 'hostile');
      const shown = preview(page).getByText('Hostile');
      await shown.waitFor();
      const before = requests.length;
      const color = () => inFrame(page, `getComputedStyle(document.querySelector('p')).color`);
      expect(await color()).toBe('rgb(1, 2, 3)');
      await preview(page).getByRole('button', { name: 'Send' }).click();
      await preview(page).getByText('out').click();
      await choose(page, 'Colours', 'dark');
      await shown.waitFor();
      await expect.poll(color).toBe('rgb(7, 8, 9)');
      await choose(page, 'Colours', 'light');
      await shown.waitFor();
      expect(await page.getByText('Your browser shows frames').count()).toBe(0);
      expect(page.url()).toContain('#/messages');
      const reach = 'try { sessionStorage.length } catch (error) { error.name }';
      expect(await inFrame(page, reach)).toBe('SecurityError');
      // The frame itself, and nothing that the template names.
      expect([...new Set(requests.slice(before))]).toEqual(['GET /preview']);
      await close();
      const others = problems.filter(
        (one) => !/Content Security Policy|sandboxed|Unsafe attempt|Framing/.test(one),
      );
      expect(others).toEqual([]);
    },
  );

  test('the frame of templates holds nothing, and may do nothing', async () => {
    const { status, headers, text } = await request(`${server.adminUrl}/preview`);
    expect(status).toBe(200);
    const policy = headers.get('content-security-policy')?.split('; ') ?? [];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain('sandbox allow-scripts');
    expect(policy).toContain("frame-ancestors 'self'");
    expect(policy.find((one) => one.startsWith('script-src'))).toMatch(
      /^script-src 'sha256-[\w+/]{43}='$/,
    );
    expect(text.match(/<script/g)).toHaveLength(1);
  });

  test('can be used by everybody', TIME, async () => {
    const now = Date.now();
    const rows: readonly (readonly [string, string, string])[] = [
      ['ada@one.test', 'sent', '{"reply":"250 2.0.0 Ok: queued as 4Vx3Yk2Z8qz1"}'],
      ['<b>@two.test', 'not-sent', '{"reason":"550 <script>alert(1)</script> \u202e no"}'],
      ['eve@two.test', 'bounced', '{"reply":"5.2.2 Mailbox full"}'],
    ];
    for (const [address, event, details] of rows) {
      await server.database.execute(
        `insert into cognomen_message_events (medium, address, event, first_ts, last_ts, times, details)
          values ('email', ?, ?, ?, ?, 1, ?)`,
        [address, event, now, now, details],
      );
    }
    const { page, problems, close } = await openConsole(browser, server, token, {
      colorScheme: 'light',
    });
    await goTo(page, 'Messages');
    await page.getByText('550 <script>alert').waitFor();
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await choose(page, 'Colours', colorScheme);
        const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
        const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
        expect([width, colorScheme, found]).toEqual([width, colorScheme, []]);
        const isTooWide = 'document.documentElement.scrollWidth > innerWidth';
        expect([width, await page.evaluate(isTooWide)]).toEqual([width, false]);
        const shots = process.env['SCREENSHOTS'];
        if (shots) {
          await page.screenshot({
            path: `${shots}/messages-full-${colorScheme}-${width}.png`,
            fullPage: true,
          });
        }
      }
    }
    await close();
    expect(problems).toEqual([]);
  });
});
