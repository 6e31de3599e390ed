import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AxeBuilder } from '@axe-core/playwright';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WITH_ADMIN } from '../support/admin.ts';
import { isWithoutBrowser, launchBrowser } from '../support/browser.ts';
import { get } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { type OpenConsole, openConsole, settled } from './console-page.ts';

/** Browsers are slow on a machine with much to do. */
const TIME = { timeout: 480_000 };
const AUDIENCE = 'https://id.test/admin';

describe.skipIf(isWithoutBrowser)('the console, with a real provider of OpenID Connect,', () => {
  let browser: Browser;
  let http: Server;
  let issuer: string;
  let server: TestServer;
  /** The scopes that the user is given of those that are asked for. */
  let granted: string;

  beforeAll(async () => {
    browser = await launchBrowser();
    let handle: RequestListener = () => {};
    http = createServer((request, response) => handle(request, response)).listen(0, '127.0.0.1');
    await once(http, 'listening');
    issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    server = await startTestServer({
      now: Date.now(),
      sections: {
        admin: `${WITH_ADMIN}\nadmin.oidc.issuer = ${issuer}\nadmin.oidc.audience = ${AUDIENCE}\nadmin.oidc.console_client_id = console`,
      },
    });
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const oidc = new Provider(issuer, {
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'ES256', use: 'sig' }] },
      scopes: ['openid', 'cognomen:viewer', 'cognomen:operator'],
      clientDefaults: { id_token_signed_response_alg: 'ES256' },
      clients: [
        {
          client_id: 'console',
          application_type: 'native',
          token_endpoint_auth_method: 'none',
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          redirect_uris: [`${server.adminUrl}/`],
        },
      ],
      clientBasedCORS: () => true,
      issueRefreshToken: async () => true,
      features: {
        resourceIndicators: {
          enabled: true,
          useGrantedResource: async () => true,
          getResourceServerInfo: async (_context: unknown, resource: string) => ({
            scope: granted,
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: 600,
            jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    });
    handle = oidc.callback();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    http?.close();
  });

  /** Signs in as the provider's pages have it. */
  async function signInAtProvider({ page }: OpenConsole): Promise<void> {
    await page.getByRole('button', { name: 'Sign in at 127.0.0.1' }).click();
    await page.getByPlaceholder('Enter any login').fill('olga');
    await page.getByPlaceholder('and password').fill('secret');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  const open = () => openConsole(browser, server, undefined, {}, [issuer]);

  test('signs in there, and goes on with another token when one has ended', TIME, async () => {
    granted = 'cognomen:operator';
    const console = await open();
    const { page, problems, requests } = console;
    await page.getByRole('button', { name: 'Sign in at 127.0.0.1' }).waitFor();
    expect((await new AxeBuilder({ page }).setLegacyMode().analyze()).violations).toEqual([]);
    await signInAtProvider(console);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.getByText('openid olga').waitFor();
    await page.getByText('operator', { exact: true }).waitFor();
    expect(page.url()).toBe(`${server.adminUrl}/#/`);
    expect(requests.filter((one) => one.includes('code='))).toEqual([]);
    await settled(page);
    await page.reload();
    await page.getByText('openid olga').waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in at 127.0.0.1' }).click();
    // Who is known there confirms only.
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('openid olga').waitFor();
    await settled(page);
    const token = () => page.evaluate(`sessionStorage.getItem('cognomen-token')`);
    const before = await token();
    const ended = { status: 401, json: { errcode: 'M_UNAUTHORIZED', error: 'It has ended' } };
    await page.route('**/stats', (route) => route.fulfill(ended), { times: 1 });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await expect.poll(token).not.toBe(before);
    await settled(page);
    expect(await page.getByRole('alert').count()).toBe(0);

    await page.route('**/stats', (route) => route.fulfill(ended));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByText('Your token works no more').waitFor();
    expect(problems).toEqual([]);
    await console.close();
  });

  test(
    'lets in nobody who has no role, and takes no answer that it did not ask for',
    TIME,
    async () => {
      granted = 'openid';
      const console = await open();
      const { page, problems } = console;
      await signInAtProvider(console);
      await page.getByText('this server gives you no role').waitFor();
      await page.goto('about:blank');
      await page.goto(`${server.adminUrl}/#code=stolen&state=stolen`);
      await page.getByText('belongs to nothing that was begun in this tab').waitFor();
      expect(page.url()).toBe(`${server.adminUrl}/#/`);
      expect(problems).toEqual([]);
      await console.close();
    },
  );

  test('tells everybody where to sign in, and lets the page ask nobody else', async () => {
    const offer = await get(`${server.adminUrl}/_cognomen/admin/v1/sign-in`);
    expect(offer.json).toEqual({
      oidc: {
        issuer,
        client_id: 'console',
        scope: 'openid cognomen:viewer cognomen:operator',
        resource: AUDIENCE,
      },
    });
    const { headers } = await get(`${server.adminUrl}/`);
    expect(headers.get('content-security-policy')).toContain(`connect-src 'self' ${issuer};`);
    const other = await startTestServer({ sections: { admin: WITH_ADMIN } });
    expect((await get(`${other.adminUrl}/_cognomen/admin/v1/sign-in`)).json).toEqual({});
    const policy = (await get(`${other.adminUrl}/`)).headers.get('content-security-policy');
    expect(policy).toContain("connect-src 'self';");
    await other.stop();
  });
});
