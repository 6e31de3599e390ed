import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Demo, startDemo } from '../demo/demo.ts';
import { isWithoutBrowser, launchBrowser } from './support/browser.ts';
import { playUntilConfirmed, press } from './support/demo-story.ts';

describe.skipIf(isWithoutBrowser)('the demo, in a browser,', () => {
  let demo: Demo;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let problems: string[];
  let foreign: string[];

  beforeAll(async () => {
    demo = await startDemo();
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await demo?.close();
  });
  afterEach(() => context.close());

  async function visit(options: BrowserContextOptions = {}): Promise<void> {
    context = await browser.newContext(options);
    page = await context.newPage();
    page.setDefaultTimeout(60_000);
    [problems, foreign] = [[], []];
    page.on('pageerror', (error) => problems.push(error.message));
    context.on('request', (request) => {
      if (!/^(?:http:\/\/127\.0\.0\.1:|data:|about:)/.test(request.url())) {
        foreign.push(request.url());
      }
    });
    await page.goto(demo.pageUrl);
    await page.waitForSelector('#server.running');
  }

  const lastResult = (panel: string) => page.locator(`${panel} .done`).last().textContent();

  test('an invitation finds its owner', async () => {
    await visit({ viewport: { width: 1280, height: 900 } });
    await playUntilConfirmed(page, context);
    await press(page, '#grace', 'Let people find me');
    await page.waitForSelector('#grace .done:nth-of-type(3)');
    expect(await lastResult('#grace')).toContain('an invitation by @ada:localhost:');
    expect(await page.textContent('#grace .done:nth-of-type(2)')).toMatch(
      /this page has checked the signature|cannot check Ed25519/,
    );
    await press(page, '#ada', 'Find Grace');
    await page.waitForSelector('#ada .done:nth-of-type(3)');
    expect(await lastResult('#ada')).toContain('It leads to @grace:localhost:');
    // What went over the wire folds out.
    await page.locator('#ada .done').last().locator('summary').click();
    expect(await page.locator('#ada .done').last().locator('dl').textContent()).toMatch(
      /"mappings": \{\s*"[\w-]{43}": "@grace:localhost:\d+"/,
    );
    // So is the page of owners: its code arrives in the mailbox.
    const visited = context.waitForEvent('page');
    await page.click('#owners a');
    const owner = await visited;
    await owner.fill('[name=address]', 'grace@example.org');
    await owner.getByRole('button', { name: 'Send me a code' }).click();
    const mail = page.frameLocator('.mails .mail:first-child iframe');
    const text = mail.getByText(/^[A-Z0-9]{8}$/);
    await owner.fill('[name=code]', (await text.textContent()) ?? '');
    await owner.getByRole('button', { name: 'Continue' }).click();
    expect(await owner.textContent('section p')).toContain('leads to @grace:localhost:');
    await owner.getByRole('button', { name: 'Stop being found' }).click();
    expect(await owner.textContent('section p')).toContain('leads to no account');
    await owner.close();
    // The console is a click away, on the same data.
    const opened = context.waitForEvent('page');
    await page.click('#console a');
    const operators = await opened;
    await operators.fill('input', (await page.textContent('#console code')) ?? '');
    await operators.keyboard.press('Enter');
    await operators.waitForSelector('nav');
    await operators.close();

    // A reload begins anew.
    await page.reload();
    await page.waitForSelector('#server.running');
    await press(page, '#ada', 'Find Grace');
    await page.waitForSelector('#ada .done');
    expect(await lastResult('#ada')).toContain('Nobody has that address yet');
    expect(problems).toEqual([]);
    expect(foreign).toEqual([]);
  });

  test('the invitation arrives though the server is killed, on a phone', async () => {
    await visit({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    expect(await page.isVisible('#mailbox')).toBe(false);
    await playUntilConfirmed(page, context);
    await press(page, '#grace', 'Let people find me, and kill the server at once');
    await page.waitForSelector('#server.down');
    expect(await lastResult('#grace')).toContain('The server is dead');
    await press(page, 'footer', 'Start it again');
    await page.waitForSelector('#grace .done:nth-of-type(3)');
    expect(await lastResult('#grace')).toContain('an invitation by @ada:localhost:');
    expect(problems).toEqual([]);
    expect(foreign).toEqual([]);
  });

  test('the server starts on a database that Sydent left', async () => {
    await visit();
    await press(page, 'footer', 'Start it on a Sydent database');
    await press(page, 'footer', 'Start it there');
    await page.waitForSelector('footer .done');
    expect(await lastResult('footer')).toContain('5000 bindings are there: user00005000@');
    expect(await page.inputValue('#said')).toContain('Took over');
    expect(problems).toEqual([]);
  });

  test.each(['light', 'dark'] as const)(
    'has no barrier that axe finds (%s)',
    async (colorScheme) => {
      await visit({ colorScheme });
      await press(page, '#ada', 'Find Grace');
      await press(page, '#ada', 'Invite Grace by mail');
      await page.waitForSelector('#mailbox .mail');
      const { violations } = await new AxeBuilder({ page }).exclude('iframe').analyze();
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    },
  );
});
