import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { TestServer } from '../support/server.ts';

/** The console in a browser, and whatever went wrong with it. */
export interface OpenConsole {
  readonly page: Page;
  /** Errors, violations of the policy, dialogs, and requests to anywhere but the admin listener. */
  readonly problems: string[];
  /** Every request, as `GET /path`. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Opens the console; where there is a token, signed in. */
export async function openConsole(
  browser: Browser,
  { adminUrl }: Pick<TestServer, 'adminUrl'>,
  token?: string,
  options: BrowserContextOptions = {},
  /** Origins that it may ask beside the listener. */
  others: readonly string[] = [],
): Promise<OpenConsole> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    // What is refused is told by the browser, too.
    const isAnswer = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isAnswer) problems.push(message.text());
  });
  page.on('dialog', (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await context.route('**', (route) => {
    const url = new URL(route.request().url());
    requests.push(`${route.request().method()} ${url.pathname}`);
    if (url.origin === adminUrl || others.includes(url.origin)) return route.continue();
    // What pages of those others ask for is theirs.
    if (new URL(page.url()).origin === adminUrl) problems.push(`request: ${url.href}`);
    return route.abort();
  });
  await page.goto(adminUrl);
  if (token !== undefined) await signIn(page, token);
  return { page, problems, requests, close: () => context.close() };
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}

/** Goes to a screen by the menu, and waits until all of it is there. */
export async function goTo(page: Page, screen: string): Promise<void> {
  const menu = page.getByRole('button', { name: 'Menu' });
  if (await menu.isVisible()) await menu.click();
  await page
    .getByRole('navigation', { name: 'Screens' })
    .getByRole('link', { name: screen })
    .click();
  await page.getByRole('heading', { level: 1, name: screen }).waitFor();
  await settled(page);
}

/** Waits until nothing is on its way any more. */
export async function settled(page: Page): Promise<void> {
  const busy = page.locator('.busy, .spinner, [aria-busy="true"]');
  await expect.poll(() => busy.count()).toBe(0);
}

export async function find(page: Page, whom: string): Promise<void> {
  await goTo(page, 'Find');
  await page.getByLabel('Email address, phone number or Matrix ID').fill(whom);
  await page.getByRole('button', { name: 'Find', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Find: ' }).waitFor();
  await settled(page);
}
