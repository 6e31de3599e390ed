import { readFile, writeFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { isWithoutBrowser, launchBrowser } from '../support/browser.ts';
import { ENGINES } from '../support/databases.ts';
import { bind, invite } from '../support/invitations.ts';
import { PUBLIC_KEY, SERVER_NAME, startTestServer, type TestServer } from '../support/server.ts';
import { goTo, type OpenConsole, openConsole } from './console-page.ts';

/** Browsers are slow on a machine with much to do. */
const TIME = { timeout: 240_000 };

let browser: Browser;
beforeAll(async () => {
  if (!isWithoutBrowser) browser = await launchBrowser();
});
afterAll(() => browser?.close());

describe.skipIf(isWithoutBrowser).each(ENGINES)('the console, on %s,', (engine) => {
  let server: TestServer;
  let operator: string;
  let api: AdminClient;
  let open: OpenConsole | undefined;

  beforeAll(async () => {
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: { admin: WITH_ADMIN, general: 'operator.name = Old' },
    });
    operator = (await createAdminToken(server.config.files[0] ?? '', 'operator')).token;
    api = adminClient(server, operator);
  });
  afterAll(() => server?.stop());
  afterEach(async () => {
    await open?.close();
    expect(open?.problems ?? []).toEqual([]);
    open = undefined;
  });
  async function opened(): Promise<Page> {
    open = await openConsole(browser, server, operator);
    return open.page;
  }

  test('shows the configuration in force, with what doctor says of each key', TIME, async () => {
    const [file = ''] = server.config.files;
    const before = await readFile(file, 'utf8');
    await writeFile(file, before.replace('operator.name = Old', 'operator.name = <b>New</b>'));
    const page = await opened();
    await goTo(page, 'Configuration');
    const row = (key: string) =>
      page.locator('.setting').filter({ has: page.getByText(key, { exact: true }) });
    await row('server.name').getByText('id.test', { exact: true }).waitFor();
    await row('server.name').getByText('sydent.conf').waitFor();
    await row('operator.name').getByText('after a restart it is <b>New</b>').waitFor();
    await row('limits.enforce').locator('.finding', { hasText: 'limits only count' }).waitFor();
    expect(await row('log.level').count()).toBe(0);
    await page.getByRole('radio', { name: 'All ' }).check();
    await row('log.level').getByText('default', { exact: true }).waitFor();
    await page.getByLabel('Find a key').fill('signingkey');
    await row('ed25519.signingkey').getByText('(hidden)').waitFor();
    expect(await row('log.level').count()).toBe(0);
    await page.getByLabel('Find a key').fill('no such key');
    await page.getByText('No key is shown').waitFor();
    await writeFile(file, before);
    expect(await api.get('config/show')).toMatchObject({ status: 200 });
  });

  test(
    'says what each key is needed for, and rotates the pepper, with its progress',
    TIME,
    async () => {
      await invite(server, 'grace@sample.test');
      const before = (await api.get('pepper/status')).json.lookup_pepper;
      const page = await opened();
      await goTo(page, 'Keys and pepper');
      const keys = page.getByRole('region', { name: 'Signing keys' });
      await keys.getByText('1 waiting invitation needs it').waitFor();
      const plan = page.getByRole('region', { name: 'To change the signing key' });
      await plan.getByText(`cognomen key rotate -c ${server.config.files[0]}`).waitFor();
      await plan.getByText('1 waiting invitation goes on to need the key before it').waitFor();

      await page.getByRole('button', { name: 'Rotate the pepper' }).click();
      const question = page.getByRole('dialog', { name: 'Rotate the pepper?' });
      await question.getByRole('button', { name: 'Leave it' }).click();
      expect((await api.get('pepper/status')).json.phase).toBe('settled');
      await page.getByRole('button', { name: 'Rotate the pepper' }).click();
      await question.getByRole('button', { name: 'Rotate', exact: true }).click();
      await page.getByText('The rotation has begun').waitFor();
      const pepper = page.getByRole('region', { name: 'Pepper' });
      await pepper.getByText('former ones work still').waitFor();
      await pepper.getByText(before, { exact: true }).waitFor();
      expect((await api.get('pepper/status')).json).toMatchObject({
        phase: 'grace',
        lookup_pepper: expect.not.stringContaining(before),
      });
      const { json } = await api.get('audit/list', { newest: 'true' });
      expect(json.items).toContainEqual(
        expect.objectContaining({ action: 'pepper rotate', outcome: 'done' }),
      );
    },
  );

  test(
    'shows invitations by what they have in common, and what block lists would do',
    TIME,
    async () => {
      const room = '!spam:other.test';
      for (const name of ['one', 'two']) {
        await invite(server, `${name}@sample.test`, { room_id: room, sender: '@eve:other.test' });
      }
      await invite(server, 'three@sample.test', { room_name: 'Cheap Pills' });
      const page = await opened();
      await goTo(page, 'Invitations');
      const choose = (name: string) => page.getByRole('radio', { name }).check();
      await choose('By age');
      await page.getByRole('region', { name: 'By age' }).getByText('Up to a day').waitFor();
      await choose('By homeserver');
      await page.getByText('2 waiting').first().waitFor();
      await choose('By room');
      await page.getByRole('button', { name: `What would blocking it do? ${room}` }).click();
      await page.getByText('What these lists hold is not mailed').waitFor();
      expect(await page.getByLabel('Rooms').inputValue()).toBe(room);
      await page.getByRole('button', { name: 'Try them' }).click();
      await page
        .getByText(/would have kept back 2 of \d+ invitations of the last 7 days/)
        .waitFor();
      await page.getByText('@eve:other.test').first().waitFor();
      await page.getByLabel('Rooms').fill('');
      await page.getByLabel('Words').fill('nothing like it\ncheap pills');
      await page.getByRole('button', { name: 'Try them' }).click();
      await page.getByText(/would have kept back 1 of/).waitFor();

      await choose('By inviter');
      await page.getByRole('button', { name: 'Show those of @eve:other.test' }).click();
      await expect.poll(() => page.locator('.row').count()).toBe(2);
    },
  );

  test(
    'tells why a homeserver was not told, and what the other side of a peer runs',
    TIME,
    async () => {
      await bind(server, 'owed@sample.test', '@owed:nowhere.sample.test');
      const failure = async () =>
        (await api.get('outbox/list')).json.items.find(
          (one: { address: string }) => one.address === 'owed@sample.test',
        )?.last_failure?.reason;
      await expect.poll(failure).toEqual(expect.any(String));
      const page = await opened();
      await goTo(page, 'Homeservers');
      await page
        .locator('.row', { hasText: 'owed@sample.test' })
        .getByText('It did not take something')
        .waitFor();

      await goTo(page, 'Peers');
      await page.getByText('This server has no certificate for peers yet').waitFor();
      await page.getByLabel('The name by which that server reaches').fill('id.sample.test');
      const command = page.getByText(`cognomen peers add ${SERVER_NAME}`);
      await command.getByText('--url https://id.sample.test:4434').waitFor();
      expect(await command.textContent()).toContain(`--key ${PUBLIC_KEY}`);
    },
  );

  test('blocks somebody for a while, and lets them in again', TIME, async () => {
    const page = await opened();
    await goTo(page, 'Limits');
    const blocked = page.getByRole('region', { name: 'Blocked for now' });
    await blocked.getByText('Nobody is blocked').waitFor();
    await blocked.getByRole('button', { name: 'Block for a while' }).click();
    const question = page.getByRole('dialog', { name: 'Block for a while?' });
    await question.getByLabel('Whom').fill('127.0.0.1');
    await question.getByRole('button', { name: 'Block', exact: true }).click();
    await question.getByRole('alert').getByText('cannot be blocked').waitFor();
    await question.getByLabel('Whom').fill('@eve:other.test');
    await question.getByRole('radio', { name: '1 hour' }).check();
    await question.getByRole('button', { name: 'Block', exact: true }).click();
    await blocked.locator('.row-title', { hasText: '@eve:other.test' }).waitFor();
    const [block] = (await api.get('limits/blocks')).json.items;
    expect(block).toMatchObject({ kind: 'account', what: '@eve:other.test' });
    expect(block.until - block.since).toBe(60 * 60 * 1000);
    await blocked.getByRole('button', { name: 'Let in again @eve:other.test' }).click();
    await blocked.getByText('Nobody is blocked').waitFor();
  });
});
