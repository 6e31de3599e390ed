import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const KEY = 'email.third_party_invite';

describe.each([
  [
    'as Sydent does by itself',
    '',
    {
      'a@b.test': '...@b.t...',
      'ab@bc': 'a...@b...',
      'abc@bcd': 'a...@b...',
      'abcd@bcde': 'abc...@bcd...',
      'grace.hopper@navy.example.org': 'gra...@nav...',
    },
  ],
  [
    'as far as the configuration says',
    `${KEY}_username_obfuscate_characters = 8\n${KEY}_domain_obfuscate_characters = 1`,
    {
      'abcdefghi@example.org': 'abcdefgh...@e...',
      'abcdefgh@example.org': 'abc...@e...',
      'abcdef@example.org': 'abc...@e...',
      'abcde@x': 'a...@...',
      'a@x': '...@...',
    },
  ],
])('a room sees the invited address in part, %s', (_how, config, shown) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      sections: { email: `email.ratelimit_sender.burst = 1000\n${config}` },
    });
  });
  afterAll(() => server.stop());

  test.each(Object.entries(shown))('%s: %s', async (address, expected) => {
    const url = `${server.url}/_matrix/identity/api/v1/store-invite`;
    expect((await postJson(url, { ...INVITE, address })).json.display_name).toBe(expected);
  });
});
