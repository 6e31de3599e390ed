import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOf, fillPostgres, fillSqlite, mxidOf } from '../../bench/data.ts';
import { find, goTo, openConsole, settled } from '../console/console-page.ts';
import { createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { isWithoutBrowser, launchBrowser } from '../support/browser.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { quickest } from '../support/time.ts';

const COUNT = 100_000;
/** Milliseconds in which a screen is there, on a machine that has other things to do. */
const QUICK = 3000;

/** As the value of that key stands in the lines of a section. */
const lineValue = (key: string, lines: string) =>
  lines.slice(`${key} = `.length).replaceAll('%%', '%');

async function fill(engine: (typeof ENGINES)[number], { config }: TestDatabase): Promise<void> {
  if (engine === 'sqlite') return fillSqlite(lineValue('db.file', config), COUNT);
  const url = new URL(lineValue('db.url', config));
  const { hostname: host, username: user, password } = url;
  const access = { host, user: decodeURIComponent(user), password: decodeURIComponent(password) };
  return fillPostgres(
    { ...access, port: Number(url.port), database: url.pathname.slice(1) },
    COUNT,
  );
}

describe.skipIf(isWithoutBrowser).each(ENGINES)(
  'the console, with 100,000 bindings and as many invitations on %s,',
  { timeout: 120_000 },
  (engine) => {
    let browser: Browser;
    let database: TestDatabase;
    let server: TestServer;
    let token: string;

    beforeAll(async () => {
      browser = await launchBrowser();
      database = await createDatabase(engine);
      await fill(engine, database);
      await database.execute(`insert into invite_tokens (medium, address, room_id, sender, token, received_ts)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ${COUNT})
        select 'email', 'guest' || i || '@sample.test', '!r:hs.test', '@user' || (i % 10) || ':hs.test', 't' || i, 1700000000 from n`);
      server = await startTestServer({
        database,
        now: Date.now(),
        sections: { admin: WITH_ADMIN },
      });
      token = (await createAdminToken(server.config.files[0] ?? '', 'operator')).token;
    }, 300_000);
    afterAll(async () => {
      await browser?.close();
      await server?.stop();
      await database?.drop();
    });

    test('shows each screen at once', async () => {
      const { page, problems, close } = await openConsole(browser, server, token);
      await settled(page);
      const numbers = page.getByRole('region', { name: 'In numbers' });
      await numbers.getByText('100,000').first().waitFor();

      const took: Record<string, number> = {};
      took['find an address'] = await quickest(async () => {
        await find(page, addressOf(77_777));
        await page.getByText(mxidOf(77_777)).first().waitFor();
      });
      took['find a user'] = await quickest(async () => {
        await find(page, mxidOf(50_000));
        await page.getByText(addressOf(50_000)).first().waitFor();
      });
      took['invitations'] = await quickest(async () => {
        await goTo(page, 'Invitations');
        await page.getByText('guest1@sample.test', { exact: true }).waitFor();
      });
      took['the next pages'] = await quickest(async () => {
        const number = Number(/\d+/.exec((await page.locator('.pager').textContent()) ?? '')?.[0]);
        await page.getByRole('button', { name: 'Next' }).click();
        await page.getByText(`Page ${number + 1}`).waitFor();
        await settled(page);
      });
      took['those of a user'] = await quickest(async () => {
        await goTo(page, 'Invitations');
        await page.getByLabel('To an address, or by a Matrix ID').fill('@user7:hs.test');
        await page.getByRole('button', { name: 'Show' }).click();
        await page.getByText('guest7@sample.test', { exact: true }).waitFor();
      });
      took['invitations by inviter'] = await quickest(async () => {
        await goTo(page, 'Invitations');
        await page.getByRole('radio', { name: 'By inviter' }).check();
        await page.getByText('10,000 waiting').first().waitFor();
      });
      took['what a block list would do'] = await quickest(async () => {
        await goTo(page, 'Overview');
        await goTo(page, 'Invitations');
        await page.getByRole('radio', { name: 'Block lists' }).check();
        await page.getByLabel('Rooms').fill('!r:hs.test');
        await page.getByRole('button', { name: 'Try them' }).click();
        await page.getByText('would have kept back').waitFor();
      });
      for (const screen of ['Homeservers', 'Audit', 'Limits', 'Keys and pepper', 'Configuration']) {
        took[screen] = await quickest(() => goTo(page, screen));
      }
      if (process.env['SHOW_TIMES']) process.stdout.write(`${JSON.stringify(took)}\n`);
      expect(Object.entries(took).filter(([, time]) => time > QUICK)).toEqual([]);
      expect(problems).toEqual([]);
      await close();
    });
  },
);
