import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { isWithoutBrowser, launchBrowser } from '../support/browser.ts';
import { ENGINES } from '../support/databases.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { goTo, openConsole, settled } from './console-page.ts';

const HOUR = 60 * 60 * 1000;
const TIME = { timeout: 240_000 };

describe.skipIf(isWithoutBrowser).each(ENGINES)('the overview of the console, on %s,', (engine) => {
  let browser: Browser;
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    browser = await launchBrowser();
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: { admin: WITH_ADMIN },
    });
    token = (await createAdminToken(server.config.files[0] ?? '', 'viewer')).token;
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  const put = (hour: number, metric: string, value: number) =>
    server.database.execute(
      'insert into cognomen_history (hour, metric, value) values (?, ?, ?) on conflict (hour, metric) do update set value = excluded.value',
      [hour, metric, value],
    );

  test('says so where nothing is known yet', TIME, async () => {
    await server.database.execute('delete from cognomen_history');
    const { page, close, problems } = await openConsole(browser, server, token);
    await settled(page);
    const charts = page.getByRole('region', { name: 'Over time' });
    await charts.getByText('Nothing is known of that time yet.').first().waitFor();
    await close();
    expect(problems).toEqual([]);
  });

  test(
    'draws the last day and month, tells them in tables, and what there is to do',
    TIME,
    async () => {
      const now = Math.floor(server.clock.now() / HOUR);
      for (let ago = 0; ago < 30 * 24; ago += ago < 50 ? 1 : 6) {
        const at = now - ago;
        await put(at, 'email bindings', 100_000 - ago * 20);
        await put(at, 'email proven', (ago * 7) % 13);
        await put(at, 'email sent', 20 + ((ago * 5) % 17));
        await put(at, 'email not-sent', ago % 9 === 0 ? 3 : 0);
        await put(at, 'invitations pending', 40 + (ago % 5));
        await put(at, 'outbox age', ago * 60_000);
        await put(at, 'calls v1', 2);
      }
      const { page, close, problems } = await openConsole(browser, server, token, {
        timezoneId: 'Asia/Kolkata',
      });
      // The server's clock stands: so that no midnight comes between.
      await page.clock.setFixedTime(server.clock.now());
      await page.reload();
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
      await settled(page);
      const charts = page.getByRole('region', { name: 'Over time' });
      await charts.getByText('100,000 now, from 99,540 to 100,000').waitFor();
      expect(await charts.locator('svg').count()).toBe(4);
      expect(await charts.getByText('Phone numbers').count()).toBe(0);
      await page.getByText('Version 1 of the API is still open: 48 calls yesterday.').waitFor();
      await page.getByText('addresses proven today').waitFor();
      await charts.getByText('As a table Email addresses proven').click();
      const table = charts.getByRole('table', { name: 'Email addresses proven' });
      expect(await table.getByRole('row').count()).toBe(25);
      await charts.getByLabel('Of the last').selectOption('month');
      await settled(page);
      await charts
        .getByText(/^[\d,]+ in all, \d+ in one day at most$/)
        .first()
        .waitFor();
      const shots = process.env['SCREENSHOTS'];
      for (const screen of ['Overview', 'Messages']) {
        if (screen === 'Messages') await goTo(page, screen);
        for (const width of [320, 1280]) {
          await page.setViewportSize({ width, height: 900 });
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme });
            const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze();
            const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
            expect([screen, width, colorScheme, found]).toEqual([screen, width, colorScheme, []]);
            const isTooWide = 'document.documentElement.scrollWidth > innerWidth';
            expect([width, await page.evaluate(isTooWide)]).toEqual([width, false]);
            if (shots) {
              const path = `${shots}/charts-${screen}-${colorScheme}-${width}.png`;
              await page.screenshot({ path, fullPage: true });
            }
          }
        }
      }
      await close();
      expect(problems).toEqual([]);
    },
  );
});
