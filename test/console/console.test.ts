import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { visible } from '../../web/console/visible.ts';
import { TEXTS as HOSTILE } from '../fuzz/corpus.ts';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { isWithoutBrowser, launchBrowser } from '../support/browser.ts';
import { ENGINES } from '../support/databases.ts';
import { request } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { PUBLIC_KEY, startTestServer, type TestServer } from '../support/server.ts';
import { find, goTo, type OpenConsole, openConsole, settled, signIn } from './console-page.ts';

const SCREENS = [
  ...['Overview', 'Find', 'Invitations', 'Homeservers', 'Peers', 'Messages', 'Limits', 'Audit'],
  ...['Configuration', 'Keys and pepper'],
];
/** Browsers are slow on a machine with much to do. */
const TIME = { timeout: 480_000 };
const PHONE = { width: 320, height: 640 };
const DESKTOP = { width: 1280, height: 900 };

let browser: Browser;
beforeAll(async () => {
  if (!isWithoutBrowser) browser = await launchBrowser();
});
afterAll(() => browser?.close());

let open: OpenConsole[] = [];
afterEach(async () => {
  const all = open;
  open = [];
  for (const { problems, close } of all) {
    await close();
    expect(problems).toEqual([]);
  }
});

const opened = async (...args: Parameters<typeof openConsole>): Promise<OpenConsole> => {
  const one = await openConsole(...args);
  open.push(one);
  return one;
};

interface World {
  readonly server: TestServer;
  readonly operator: string;
  readonly viewer: string;
  readonly api: AdminClient;
}

/** A server with some of everything that the console shows. */
async function startWorld(engine: (typeof ENGINES)[number]): Promise<World> {
  const server = await startTestServer({
    engine,
    now: Date.now(),
    sections: { admin: WITH_ADMIN },
  });
  const file = server.config.files[0] ?? '';
  const operator = (await createAdminToken(file, 'operator', '--name', 'olga')).token;
  const viewer = (await createAdminToken(file, 'viewer', '--name', 'vera')).token;
  const api = adminClient(server, operator);
  await invite(server, 'grace@sample.test');
  await bind(server, 'ada@sample.test', '@ada:sample.test');
  await bind(server, 'second@sample.test', '@ada:sample.test');
  await api.post('peers/add', { name: 'peer.test', key: PUBLIC_KEY });
  return { server, operator, viewer, api };
}

describe.skipIf(isWithoutBrowser).each(ENGINES)('the console, on %s,', (engine) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(engine);
  });
  afterAll(() => world?.server.stop());

  test(
    'lets in who has a token, over a reload too, until they sign out or it is revoked',
    TIME,
    async () => {
      const { page, requests } = await opened(browser, world.server);
      for (const wrong of ['nonsense', `${world.viewer}x`, 'ünknown']) {
        await page.getByLabel('Token').fill(wrong);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('alert').getByText('does not know this token').waitFor();
      }
      await signIn(page, world.viewer);
      await page.getByText('vera').waitFor();
      await page.reload();
      await page.getByRole('heading', { name: 'Overview' }).waitFor();
      expect(page.url()).not.toContain('cognomen_admin');
      expect(await page.evaluate('[localStorage.length, document.cookie]')).toEqual([0, '']);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      expect(await page.evaluate('sessionStorage.length')).toBe(0);
      await page.reload();
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();

      const file = world.server.config.files[0] ?? '';
      const { id, token } = await createAdminToken(file, 'viewer');
      await signIn(page, token);
      await settled(page);
      await world.api.post('admin-token/revoke', { id });
      await goToLink(page, 'Invitations');
      await page.getByText('Your token works no more').waitFor();
      expect(requests.filter((one) => one.includes(token))).toEqual([]);
    },
  );

  test(
    'finds an address with all that is known of it, and takes a binding back with a reason',
    TIME,
    async () => {
      await bind(world.server, 'find@sample.test', '@find:sample.test');
      await invite(world.server, 'asked@sample.test');
      const { page } = await opened(browser, world.server, world.operator);
      await find(page, 'FIND@sample.test');
      const bound = page.getByRole('region', { name: 'Bound to' });
      await bound.getByText('@find:sample.test').first().waitFor();
      await bound.getByText('signature checked in your browser: good').waitFor();
      expect(page.url()).not.toContain('find%40');
      expect(page.url().toLowerCase()).not.toContain('sample.test');

      await bound.getByRole('button', { name: 'Unbind' }).click();
      const question = page.getByRole('dialog');
      await question.getByText('no longer find @find:sample.test').waitFor();
      await question.getByLabel('Why').fill('told by @them:sample.test');
      await question.getByRole('button', { name: 'Unbind' }).click();
      await question.getByRole('alert').getByText('name nobody').waitFor();
      await question.getByLabel('Why').fill('lost the mailbox');
      await question.getByRole('button', { name: 'Unbind' }).click();
      await page.getByText('Unbound.').waitFor();
      await page.getByText('Nobody can be found by FIND@sample.test').waitFor();
      const { json } = await world.api.get('audit/list', { address_or_mxid: 'find@sample.test' });
      expect(json.items).toContainEqual(
        expect.objectContaining({
          action: 'unbind',
          outcome: 'done',
          details: { mxid: '@find:sample.test', reason: 'lost the mailbox' },
        }),
      );

      await bind(world.server, 'forged@sample.test', '@forged:sample.test');
      await world.server.database.execute(
        `update global_threepid_associations set "sgAssoc" = replace("sgAssoc", 'forged@', 'other@')`,
      );
      await find(page, 'forged@sample.test');
      await bound.getByText('it is NOT by a key of this server').waitFor();

      await find(page, 'asked@sample.test');
      const timeline = page.getByRole('region', { name: 'What became of the messages' });
      await timeline.getByText('invitation handed over').waitFor();
      await page.getByRole('region', { name: 'Invitations to it' }).getByText('!tea:').waitFor();
      // Each search, and the empty box before it.
      for (let back = 0; back < 4; back++) await page.goBack();
      await page.getByRole('heading', { name: 'Find: FIND@sample.test' }).waitFor();
    },
  );

  test('erases after it has shown what will be gone, by the keyboard alone', TIME, async () => {
    await bind(world.server, 'erase@sample.test', '@erase:sample.test');
    const { page } = await opened(browser, world.server, world.operator);
    await page.keyboard.press('Tab');
    const tabTo = async (name: string) => {
      for (let tabs = 0; tabs < 60; tabs++) {
        const focused = String(await page.evaluate('document.activeElement?.textContent?.trim()'));
        if (focused.startsWith(name)) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`The keyboard does not get to ${name}`);
    };
    await tabTo('Find');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Find' }).waitFor();
    // From the heading on, which has the focus.
    await page.keyboard.press('Tab');
    await page.keyboard.type('erase@sample.test');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Find: erase@sample.test' }).waitFor();
    await settled(page);
    await tabTo('Erase');
    await page.keyboard.press('Enter');
    const question = page.getByRole('dialog', { name: 'Erase everything about' });
    await question.getByText('bindings: 1').waitFor();
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    const isBound = async () =>
      (await world.api.get('lookup', { address_or_mxid: 'erase@sample.test' })).status === 200;
    expect(await isBound()).toBe(true);

    await page.keyboard.press('Enter');
    await question.waitFor();
    await tabTo('Keep it');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('Erased.').waitFor();
    expect(await isBound()).toBe(false);
    await page.getByText('Nobody can be found by').waitFor();
  });

  test('goes through a long list a page at a time', TIME, async () => {
    const rows = Array.from({ length: 120 }, (_, at) => `many${String(at).padStart(3, '0')}`);
    for (const name of rows) {
      await world.server.database.execute(
        'insert into invite_tokens (medium, address, room_id, sender, token, received_ts) values (?, ?, ?, ?, ?, ?)',
        [
          'email',
          `${name}@sample.test`,
          '!r:sample.test',
          '@many:sample.test',
          name,
          1_700_000_000,
        ],
      );
    }
    const { page } = await opened(browser, world.server, world.operator);
    await goTo(page, 'Invitations');
    await page.getByLabel('To an address, or by a Matrix ID').fill('@many:sample.test');
    await page.getByRole('button', { name: 'Show' }).click();
    const names = () => page.locator('.row-title').allTextContents();
    await expect.poll(names).toHaveLength(50);
    for (const count of [50, 20]) {
      await page.getByRole('button', { name: 'Next' }).click();
      await expect.poll(names).toHaveLength(count);
    }
    expect((await names()).at(-1)).toBe('many119@sample.test');
    expect(await page.getByRole('button', { name: 'Next' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Cancel the invitations to many119' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel them' }).click();
    await page.getByText('1 invitation is cancelled').waitFor();
    await expect.poll(names).toHaveLength(19);
  });
});

async function goToLink(page: OpenConsole['page'], name: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Screens' }).getByRole('link', { name }).click();
}

/** Looks at a screen on phone and desktop, light and dark: with axe, whether it is too wide, and for a picture of it. */
const looker =
  (page: OpenConsole['page']) =>
  async (name: string): Promise<void> => {
    for (const viewport of [PHONE, DESKTOP]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const where = `${name}-${colorScheme}-${viewport.width}`.replaceAll(' ', '-');
        // Of what is checked, dark colours change the contrast alone.
        const axe = new AxeBuilder({ page })
          .options({ resultTypes: ['violations'] })
          .setLegacyMode();
        const rules = colorScheme === 'dark' ? axe.withRules(['color-contrast']) : axe;
        const { violations } = await rules.analyze();
        const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
        expect([where, found]).toEqual([where, []]);
        const isTooWide = 'document.documentElement.scrollWidth > innerWidth';
        expect([where, await page.evaluate(isTooWide)]).toEqual([where, false]);
        const folder = process.env['SCREENSHOTS'];
        if (folder) await page.screenshot({ path: `${folder}/${where}.png`, fullPage: true });
      }
    }
  };

describe.skipIf(isWithoutBrowser)('the console', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld('sqlite');
  });
  afterAll(() => world?.server.stop());

  test('can be used by everybody, on every screen, phone or desktop, light or dark', {
    timeout: 480_000,
  }, async () => {
    const { page } = await opened(browser, world.server);
    const look = looker(page);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await look('Sign in');
    await signIn(page, world.operator);
    await settled(page);
    for (const screen of SCREENS) {
      await goTo(page, screen);
      await look(screen);
    }
    for (const whom of ['ada@sample.test', '@ada:sample.test', 'grace@sample.test']) {
      await find(page, whom);
      await look(`Find ${whom}`);
    }
    await page.getByRole('button', { name: 'Erase …' }).click();
    await page.getByRole('dialog').waitFor();
    await look('Erase');
  });

  test('can be used by everybody, in its views and questions too', {
    timeout: 180_000,
  }, async () => {
    const { page } = await opened(browser, world.server, world.operator);
    const look = looker(page);
    await goTo(page, 'Invitations');
    for (const view of ['By age', 'By inviter', 'Block lists']) {
      await page.getByRole('radio', { name: view }).check();
      await settled(page);
      await look(`Invitations ${view}`);
    }
    await page.getByLabel('Rooms').fill('!tea:sample.test');
    await page.getByRole('button', { name: 'Try them' }).click();
    await page.getByText('would have kept back').waitFor();
    await look('Invitations tried');
    await goTo(page, 'Configuration');
    await page.getByRole('radio', { name: 'All ' }).check();
    await look('Configuration all');
    for (const [screen, button] of [
      ['Limits', 'Block for a while'],
      ['Keys and pepper', 'Rotate the pepper'],
    ] as const) {
      await goTo(page, screen);
      await page.getByRole('button', { name: button }).click();
      await page.getByRole('dialog').waitFor();
      await look(`${screen} asked`);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
  });

  test('shows a viewer nothing to press that would be refused', TIME, async () => {
    const refused: string[] = [];
    const { page } = await opened(browser, world.server, world.viewer);
    page.on('response', (answer) => {
      if (answer.status() === 403) refused.push(answer.url());
    });
    const pressed = new Set<string>();
    for (const screen of SCREENS.filter((one) => one !== 'Audit')) {
      await goTo(page, screen);
      for (const text of await page.getByRole('main').getByRole('button').allTextContents()) {
        pressed.add(text);
      }
    }
    await find(page, 'ada@sample.test');
    for (const text of await page.getByRole('main').getByRole('button').allTextContents()) {
      pressed.add(text);
    }
    const looks = [
      'Refresh',
      'Find',
      'Show',
      'Look again',
      '@ada:sample.test',
      'grace@sample.test',
    ];
    expect([...pressed].sort()).toEqual(looks.sort());
    expect(await page.getByRole('link', { name: 'Audit' }).count()).toBe(0);
    await page.goto(`${world.server.adminUrl}/#/audit`);
    await page.getByRole('heading', { name: 'There is no such screen' }).waitFor();
    expect(refused).toEqual([]);
  });

  test('sends a test mail and shows the dialogue', async () => {
    const { page } = await opened(browser, world.server, world.operator);
    await goTo(page, 'Messages');
    await page.getByLabel('A test mail to').fill('me@sample.test');
    await page.getByRole('button', { name: 'Send' }).first().click();
    await page.getByText('The other side has taken it').waitFor();
    await page.getByText('RCPT TO').waitFor();
    expect((await world.server.smtp.nextMail()).to).toContain('me@sample.test');
  });

  test('shows what is hostile as text, wherever it can appear', TIME, async () => {
    const server = await startTestServer({ now: Date.now(), sections: { admin: WITH_ADMIN } });
    const file = server.config.files[0] ?? '';
    const texts = HOSTILE.filter((one) => one !== '' && one.isWellFormed() && !one.includes('\0'));
    const markup = '<img src=x onerror="alert(1)"><script>alert(2)</script>\u202e\u001b[31m';
    const all = [markup, ...texts];
    for (const [at, text] of all.entries()) {
      await server.database.execute(
        'insert into invite_tokens (medium, address, room_id, sender, token, received_ts) values (?, ?, ?, ?, ?, ?)',
        ['email', `${at}${text}`, text, text, `token${at}`, 1_700_000_000],
      );
      await server.database.execute(
        'insert into cognomen_audit (at_ts, who, via, origin, action, about, details, outcome) values (?, ?, ?, ?, ?, ?, ?, ?)',
        [Date.now(), text, 'api', text, 'lookup', text, JSON.stringify({ reason: text }), 'done'],
      );
      await server.database.execute(
        'insert into global_threepid_associations (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc, lookup_hash) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        ['email', text, '@hostile:sample.test', at + 1, 0, 4e12, `${text}.test`, at, text, `${at}`],
      );
    }
    const operator = (await createAdminToken(file, 'operator', '--name', '<img src=x>')).token;
    const { page } = await opened(browser, server, operator);
    const shown = async () => {
      expect(await page.locator('main script, main img, main iframe, main style').count()).toBe(0);
      return (await page.locator('.said').allTextContents()).join('\n');
    };
    await goTo(page, 'Invitations');
    await expect.poll(() => page.locator('.row').count()).toBe(Math.min(50, all.length));
    for (const text of all.slice(0, 50)) expect(await shown()).toContain(visible(text));
    await goTo(page, 'Audit');
    await expect.poll(() => page.locator('.row').count()).toBe(50);
    for (const text of all.slice(-40)) expect(await shown()).toContain(visible(text));
    await find(page, '@hostile:sample.test');
    for (const text of all.slice(0, 50)) expect(await shown()).toContain(visible(text));
    await find(page, markup);
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain('\\u{202E}');
    await server.stop();
  });

  test('says so when the server does not answer, and goes on when it does', async () => {
    const { page } = await opened(browser, world.server, world.operator);
    await settled(page);
    await page.route('**/stats', (route) => route.abort());
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('alert').getByText('does not answer').waitFor();
    await page.unroute('**/stats');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('invitations waiting').waitFor();
  });
});

describe('the files of the console', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ now: Date.now(), sections: { admin: WITH_ADMIN } });
  });
  afterAll(() => server.stop());
  const at = (path: string, method = 'GET') => request(`${server.adminUrl}${path}`, { method });

  test('come without a token, under a policy that lets in nothing else', async () => {
    const start = await at('/');
    expect(start.status).toBe(200);
    expect(start.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(start.headers.get('cache-control')).toBe('no-cache');
    const names = [...start.text.matchAll(/(?:src|href)="\.([^"]+)"/g)].map(
      ([, name = '']) => name,
    );
    expect(names.length).toBeGreaterThanOrEqual(3);
    expect(start.text).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?:/);
    for (const path of ['/', ...names]) {
      const { status, headers } = await at(path);
      expect([path, status]).toEqual([path, 200]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      const policy = headers.get('content-security-policy') ?? '';
      for (const part of [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
      ]) {
        expect(policy.split('; ')).toContain(part);
      }
      expect(policy).not.toContain('unsafe');
      if (path === '/') continue;
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
  });

  test('are those of its list, and no path leads to another', async () => {
    for (const path of [
      '/index.html',
      '/files.json',
      '/assets',
      '/assets/',
      '/assets/../files.json',
      '/assets/%2e%2e/files.json',
      '/assets/..%2f..%2fmain.js',
      '/..%2f..%2fpackage.json',
      '//etc/passwd',
      '/assets/%00',
    ]) {
      expect([path, (await at(path)).status]).toEqual([path, expect.toBeOneOf([400, 401, 404])]);
    }
    expect((await at('/', 'POST')).status).toBe(405);
    const head = await at('/', 'HEAD');
    expect([head.status, head.text]).toEqual([200, '']);
  });

  test('may use the API from their own origin, and no other page may', async () => {
    const { token } = await createAdminToken(server.config.files[0] ?? '', 'operator');
    const post = async (headers: Record<string, string>) =>
      (
        await request(`${server.adminUrl}/_cognomen/admin/v1/limits/reset`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, ...headers },
          body: '{"key":"nobody"}',
        })
      ).status;
    const own = server.adminUrl;
    expect(await post({ origin: own })).toBe(200);
    expect(await post({ origin: own.replace('http:', 'https:') })).toBe(200);
    expect(await post({ origin: 'https://console.test', 'sec-fetch-site': 'same-origin' })).toBe(
      200,
    );
    expect(await post({ origin: 'https://evil.test' })).toBe(403);
    expect(await post({ origin: 'null' })).toBe(403);
    expect(await post({ origin: own, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await post({ origin: 'https://evil.test', 'sec-fetch-site': 'same-site' })).toBe(403);
  });
});
