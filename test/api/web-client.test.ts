import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const WEB_CLIENT = 'org.matrix.web_client_location';
const DEFAULT = 'email.default_web_client_location = https://chat.test/app';
let server: TestServer;
let token: string;
let number = 0;

async function start(email: string): Promise<void> {
  server = await startTestServer({
    sections: { email: `email.ratelimit_sender.burst = 1000\n${email}` },
  });
  token = await server.token(INVITE.sender);
}

const invite = (version: 'v1' | 'v2', location: string) => {
  const path = version === 'v1' ? 'api/v1' : 'v2';
  const address = `grace${number++}@sample.test`;
  return postJson(
    `${server.url}/_matrix/identity/${path}/store-invite`,
    { ...INVITE, address, [WEB_CLIENT]: location },
    version === 'v2' ? token : undefined,
  );
};

/** Where the links of the mail lead, and what it says of that. */
async function invited(version: 'v1' | 'v2', location: string) {
  expect((await invite(version, location)).status).toBe(200);
  const { text = '', html } = (await server.smtp.nextMail()).parsed;
  const inText = /(\S*)\/#\/room\//.exec(text)?.[1];
  const inHtml = /href="([^"]*)\/#\/room\//.exec(html || '')?.[1];
  expect(inHtml).toBe(inText);
  const named = /link opens (\S+)\. There/.exec(text)?.[1];
  expect(/link opens <strong><bdi>([^<]+)<\/bdi>/.exec(html || '')?.[1]).toBe(named);
  return { link: inText, named };
}

const ours = { link: 'https://chat.test/app', named: 'chat.test' };

describe('without a list of web clients, an invitation', () => {
  beforeAll(() => start(DEFAULT));
  afterAll(() => server.stop());

  test.each([
    ['https://other.test', 'https://other.test', 'other.test'],
    ['https://other.test/app/', 'https://other.test/app', 'other.test'],
    ['HTTPS://Other.Test:443//', 'https://other.test', 'other.test'],
    ['https://other.test:8443/a', 'https://other.test:8443/a', 'other.test:8443'],
    ['https://other.test./', 'https://other.test.', 'other.test.'],
    ['https://chat.test.evil.test', 'https://chat.test.evil.test', 'chat.test.evil.test'],
    // What a browser reads, not what one would like a reader to see.
    ['https://сhat.test', 'https://xn--hat-3ed.test', 'xn--hat-3ed.test'],
    ['https://ｃｈａｔ。test', 'https://chat.test', 'chat.test'],
    ['https://0x7f.1', 'https://127.0.0.1', '127.0.0.1'],
    ['https://[::1]:8443', 'https://[::1]:8443', '[::1]:8443'],
    ['https://@other.test', 'https://other.test', 'other.test'],
    ['https:////other.test', 'https://other.test', 'other.test'],
  ])('of version 2 leads to %s and names its host', async (location, link, named) => {
    expect(await invited('v2', location)).toEqual({ link, named });
  });

  test.each(['http://other.test', 'http://chat.test/app'])(
    'of version 2 leads to the default one in place of %s',
    async (location) => {
      expect(await invited('v2', location)).toEqual(ours);
    },
  );

  test.each(['https://other.test', 'https://chat.test', 'https://chat.test/app', ''])(
    'of version 1 leads to the default one whatever is asked for: %j',
    async (location) => {
      expect(await invited('v1', location)).toEqual(ours);
    },
  );

  test.each([
    'https:other.test',
    'https:/other.test',
    'https:\\\\other.test',
    'https://chat.test\\@other.test',
    'https://chat.test\\.other.test',
    'https://chat.test@other.test',
    'https://chat.test:x@other.test/',
    'https://chat.test%40other.test',
    'https://chat.test%2fother.test',
    'https://other.test\n',
    'https://other\u200b.test" x="',
    '//other.test',
    'chat.test',
    'ftp://other.test',
    'data:text/html,x',
    'https://',
    'https://?',
    'https://other.test:70000',
    `https://other.test/${'x'.repeat(1000)}`,
  ])('is refused with %j', async (location) => {
    for (const version of ['v1', 'v2'] as const) {
      const refused = await invite(version, location);
      expect([refused.status, refused.json.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    }
  });
});

describe('with a list of web clients, an invitation of either version', () => {
  beforeAll(() =>
    start(
      `${DEFAULT}\nemail.web_client_allow_list = https://Listed.test/, https://bücher.test:8443/app\n  http://inside.test`,
    ),
  );
  afterAll(() => server.stop());

  test.each([
    ['https://listed.test', 'https://listed.test', 'listed.test'],
    ['https://LISTED.test:443/', 'https://listed.test', 'listed.test'],
    ['https://xn--bcher-kva.test:8443/app/', 'https://xn--bcher-kva.test:8443/app', undefined],
    ['http://inside.test/', 'http://inside.test', 'inside.test'],
    ['https://chat.test/app/', ours.link, ours.named],
  ])('leads to %s', async (location, link, named) => {
    for (const version of ['v1', 'v2'] as const) {
      const found = await invited(version, location);
      expect(found).toEqual({ link, named: named ?? 'xn--bcher-kva.test:8443' });
    }
  });

  test.each([
    'https://other.test',
    'http://listed.test',
    'https://listed.test:8443',
    'https://listed.test.',
    'https://sub.listed.test',
    'https://listed.test.other.test',
    // A way through the listed one to somewhere else, or into an account of somebody else's.
    'https://listed.test/redirect',
    'https://listed.test/?loginToken=x',
    'https://listed.test/#/login?hs_url=https:%2f%2fother.test',
    'https://listed.test/a/..//other.test',
    'https://xn--bcher-kva.test:8443',
    'https://inside.test',
  ])('leads to the default one in place of %s', async (location) => {
    for (const version of ['v1', 'v2'] as const) {
      expect(await invited(version, location)).toEqual(ours);
    }
  });
});
