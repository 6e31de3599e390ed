import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOfLogo } from '../../src/delivery/logo.ts';
import { temporaryFolder } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { writeLogo } from '../support/logo.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
let server: TestServer;
const logo = () => get(`${server.url}/_matrix/identity/logo`);
const page = () => get(`${server.url}/_matrix/identity/v2/validate/email/submitToken`);

beforeAll(async () => {
  folder = await temporaryFolder();
  file = await writeLogo(folder.path);
  server = await startTestServer({ sections: { general: `operator.logo = ${file}` } });
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

test('is served as the picture that it is, and as nothing else', async () => {
  const answer = await logo();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('image/svg+xml');
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none';.* sandbox$/);
  await writeLogo(folder.path, PNG);
  expect((await logo()).headers.get('content-type')).toBe('image/png');
  expect((await page()).text).toContain('<img src="../../../logo"');
  expect((await page()).headers.get('content-security-policy')).toContain("img-src 'self'");
});

test.each([
  ['a page', '<!DOCTYPE html><script>alert(1)</script>', 'no PNG'],
  ['too large', Buffer.concat([PNG, Buffer.alloc(256 * 1024)]), 'larger than 256 KiB'],
  ['empty', '', 'no PNG'],
])('%s is not served, nor linked to, and that is said', async (_what, content, why) => {
  await writeLogo(folder.path, content);
  const answer = await logo();
  expect([answer.status, answer.json.errcode]).toEqual([404, 'M_NOT_FOUND']);
  const shown = await page();
  expect(shown.text).not.toContain('<img');
  expect(shown.headers.get('content-security-policy')).not.toContain('img-src');
  expect(await faultsOfLogo(file)).toEqual([expect.stringContaining(why)]);
});

test('one that is gone is the same', async () => {
  await rm(file);
  expect((await logo()).status).toBe(404);
  expect((await page()).text).not.toContain('<img');
});

test('without one there is no such path', async () => {
  const other = await startTestServer();
  try {
    expect((await get(`${other.url}/_matrix/identity/logo`)).json.errcode).toBe('M_UNRECOGNIZED');
  } finally {
    await other.stop();
  }
});
