import type { BrowserContext, Page } from 'playwright-core';

/** Presses a button of a part of the demo's page. */
export const press = (page: Page, part: string, button: string) =>
  page
    .getByRole('button', { name: button, exact: true })
    .and(page.locator(`${part} button`))
    .click();

/** Plays the demo's story until Grace's address is confirmed, by the buttons that a visitor has. */
export async function playUntilConfirmed(page: Page, context: BrowserContext): Promise<void> {
  const inMail = () =>
    page
      .frameLocator('.mails .mail:first-child iframe')
      .locator('a.button, a[role=button], .button a')
      .first();
  async function openMailbox(): Promise<void> {
    await page.waitForSelector('#mailbox .now', { state: 'attached' });
    // On a phone one part is seen at a time.
    if (await page.isVisible('nav')) await page.click('nav a[href="#mailbox"]');
  }

  await press(page, '#ada', 'Find Grace');
  await press(page, '#ada', 'Invite Grace by mail');
  await openMailbox();
  await inMail().click();
  await press(page, '#grace', 'Send me a mail');
  await openMailbox();
  const opened = context.waitForEvent('page');
  await inMail().click();
  const confirm = await opened;
  await confirm.click('button');
  await confirm.waitForLoadState();
  await confirm.close();
  await page.waitForSelector('#grace .now');
}
