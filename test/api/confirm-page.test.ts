import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { get, postJson, request } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('a mailed link that asks for a click', () => {
  let server: TestServer;
  const v1 = () => `${server.url}/_matrix/identity/api/v1`;

  beforeAll(async () => {
    server = await startTestServer({ sections: { http: 'page.ask_before_validation = true' } });
  });
  afterAll(() => server.stop());

  const mailed = async (more: object = {}) => {
    const client_secret = 'abcd';
    const { sid } = (
      await postJson(`${v1()}/validate/email/requestToken?brand=vector-im`, {
        email: `ada${Object.keys(more).length}@sample.test`,
        client_secret,
        send_attempt: 1,
        ...more,
      })
    ).json;
    const mail = await server.smtp.nextMail();
    const link = new URL(/https:\/\/\S+submitToken\S+/.exec(mail.parsed.text ?? '')?.[0] ?? '');
    const validated = async () =>
      (await get(`${v1()}/3pid/getValidated3pid`, { sid, client_secret })).status === 200;
    return { url: `${server.url}${link.pathname}${link.search}`, validated, sid };
  };
  /** Where the page's form goes, as a browser finds it. */
  const actionOf = (html: string, url: string) =>
    new URL(/action="([^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&') ?? '', url).href;

  test('proves nothing when it is followed, and the address when the button is pressed', async () => {
    const { url, validated } = await mailed();
    for (let i = 0; i < 2; i++) {
      const page = await request(url);
      expect(page.status).toBe(200);
      expect(page.text).toContain('<title>Element: Confirm your email address</title>');
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    }
    expect(await validated()).toBe(false);
    const action = actionOf((await request(url)).text, url);
    const done = await request(action, { method: 'POST' });
    expect(done.status).toBe(200);
    expect(done.text).toContain('Your email address is confirmed');
    expect(await validated()).toBe(true);
  });

  test('leads on after the click', async () => {
    const { url, sid } = await mailed({ next_link: 'https://app.test/#/next' });
    const answer = await request(actionOf((await request(url)).text, url), {
      method: 'POST',
      body: new URLSearchParams(),
    });
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(`https://app.test/#/next?sid=${sid}`);
  });

  test('says what is wrong with the link, and shows nothing that somebody put into it', async () => {
    const wrong = await request(
      `${v1()}/validate/email/submitToken/confirm?sid=1&client_secret=a&token=b`,
      { method: 'POST' },
    );
    expect(wrong.status).toBe(404);
    expect(wrong.text).toContain('not valid any more');
    const evil = `${v1()}/validate/email/submitToken?sid=1&client_secret=a&token="><script>`;
    const page = await request(evil);
    expect(page.text).not.toContain('<script>');
    expect((await request(`${v1()}/validate/email/submitToken?sid=1`)).status).toBe(400);
  });
});
