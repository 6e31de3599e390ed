import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';

/** Where pictures are kept of all that is looked at; without it none are. */
const PICTURES = process.env['FACES_PICTURES'];

/** Of browsers. */
export const SIZES = { phone: { width: 320, height: 640 }, desktop: { width: 1280, height: 800 } };
/** How each page and mail is looked at. */
export const LOOKS = (['light', 'dark'] as const).flatMap((colorScheme) =>
  (['phone', 'desktop'] as const).flatMap((size) =>
    (['en', 'ar'] as const).map((language) => ({ colorScheme, size, language })),
  ),
);
/** Opens a window of its own, and closes it again. */
export async function inBrowser<T>(
  browser: Browser,
  options: BrowserContextOptions,
  work: (page: Page, context: BrowserContext) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext(options);
  try {
    return await work(await context.newPage(), context);
  } finally {
    await context.close();
  }
}

/** That nobody is kept out, that all fits, and what it looks like. */
export async function look(page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
  const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
  expect([name, ...found]).toEqual([name]);
  const tooWide = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  expect([name, tooWide]).toEqual([name, 0]);
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true });
}
