import { accessSync, constants } from 'node:fs';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Demo, startDemo } from '../demo/demo.ts';

const CANDIDATES = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const browserPath = CANDIDATES.find((candidate) => {
  try {
    accessSync(candidate ?? '', constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

// CI installs one: there the test must not be left out.
if (browserPath === undefined && !process.env['CI']) {
  process.stderr.write(
    '\nNo browser: the test of the demo is left out. Install Debian’s chromium, or set CHROMIUM.\n\n',
  );
}

let demo: Demo;
beforeAll(async () => {
  demo = await startDemo();
});
afterAll(() => demo.close());

test.skipIf(browserPath === undefined && !process.env['CI'])(
  'a newcomer sees the main job happen in a browser',
  { timeout: 60_000 },
  async () => {
    if (browserPath === undefined) throw new Error('There is no browser; install chromium');
    const browser = await chromium.launch({
      executablePath: browserPath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    try {
      const page = await browser.newPage();
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error' && !message.text().includes('404'))
          problems.push(message.text());
      });
      await page.goto(demo.pageUrl);
      expect(await page.isVisible('#no-mail')).toBe(true);
      await page.fill('#email', 'Curious@Example.org');
      await page.click('#step-request button');
      await page.waitForSelector('#step-request pre >> text=send_attempt');
      expect(await page.textContent('#step-request dl')).toContain('"success": true');

      await page.waitForSelector('.mail >> text=To: Curious@Example.org');
      expect(await page.isVisible('#no-mail')).toBe(false);
      expect(await page.getAttribute('.mail iframe', 'srcdoc')).toContain('Confirm');
      await page.click('.mail button');
      await page.waitForSelector('#step-validate dl');
      expect(await page.textContent('#step-validate dl')).toContain(
        'Your email address is confirmed',
      );

      await page.fill('#mxid', '@curious:example.org');
      await page.click('#step-bind button');
      await page.waitForSelector('#step-bind dl');
      expect(await page.textContent('#step-bind dl')).toContain('"ed25519:0"');

      await page.fill('#address', 'CURIOUS@example.org');
      await page.click('#step-lookup button');
      await page.waitForSelector('#step-lookup dl');
      const lookup = await page.textContent('#step-lookup dl');
      expect(lookup).toContain('"mxid": "@curious:example.org"');
      expect(lookup).toContain(
        `curl '${demo.serverUrl}/_matrix/identity/api/v1/lookup?medium=email`,
      );

      await page.click('#step-hash button');
      await page.waitForSelector('#step-hash dl:nth-of-type(3)');
      const hashed = await page.textContent('#step-hash .exchanges');
      expect(hashed).toMatch(/"mappings": \{\s*"[\w-]{43}": "@curious:example\.org"/);
      expect(problems).toEqual([]);
      if (process.env['SCREENSHOT']) {
        await page.screenshot({ path: process.env['SCREENSHOT'], fullPage: true });
      }
    } finally {
      await browser.close();
    }
  },
);
