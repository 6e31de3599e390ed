/** Makes the README's picture of the demo: `npm run demo:picture`. It needs a browser (Debian's chromium, or CHROMIUM). */
import { fileURLToPath } from 'node:url';
import { launchBrowser } from '../test/support/browser.ts';
import { playUntilConfirmed, press } from '../test/support/demo-story.ts';
import { startDemo } from './demo.ts';

const PICTURE = fileURLToPath(new URL('../docs/demo.png', import.meta.url));
const SIZE = { width: 1200, height: 860 };

const demo = await startDemo();
const browser = await launchBrowser();
try {
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' });
  const page = await context.newPage();
  await page.goto(demo.pageUrl);
  await page.waitForSelector('#server.running');
  await playUntilConfirmed(page, context);
  await press(page, '#grace', 'Let people find me');
  await page.waitForSelector('#ada .now');
  await page.evaluate('scrollTo(0, 0)');
  await page.screenshot({ path: PICTURE });
} finally {
  await browser.close();
  await demo.close();
}
