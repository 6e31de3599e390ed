import { expect, test } from 'vitest';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer } from '../support/server.ts';

const ADDRESS = 'Grace.Hopper@Navy.sample.test';

test('negative counts hide the end of an address, and a limit below 1 refuses every lookup', async () => {
  const obfuscate = 'email.third_party_invite';
  const server = await startTestServer({
    sections: {
      general: 'address_lookup_limit = -1',
      email: `${obfuscate}_username_obfuscate_characters = -1\n${obfuscate}_domain_obfuscate_characters = -20`,
    },
  });
  try {
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    const stored = await postJson(`${v1}/store-invite`, { ...INVITE, address: ADDRESS });
    expect(stored.status).toBe(200);
    expect(stored.json.display_name).toBe('Grace.Hoppe...@...');
    for (const threepids of [[], [['email', ADDRESS]]]) {
      const refused = await postJson(`${v1}/bulk_lookup`, { threepids });
      expect([refused.status, refused.json.errcode]).toEqual([400, 'M_TOO_LARGE']);
    }
  } finally {
    await server.stop();
  }
});

test('a burst of 0 lets no mail out', async () => {
  const server = await startTestServer({
    sections: { email: 'email.ratelimit_sender.burst = 0\nemail.ratelimit_sender.rate_hz = inf' },
  });
  try {
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    for (let i = 0; i < 2; i++) {
      const refused = await postJson(`${v1}/store-invite`, { ...INVITE, address: ADDRESS });
      expect([refused.status, refused.json.errcode]).toEqual([429, 'M_LIMIT_EXCEEDED']);
      expect(refused.json.retry_after_ms).toBeGreaterThan(0);
    }
  } finally {
    await server.stop();
  }
});

test.each([
  ['inf', '1'],
  ['0.0001', '3'],
])('a rate of %s and a burst of %s let the first mails out', async (rate, burst) => {
  const server = await startTestServer({
    sections: {
      email: `email.ratelimit_sender.burst = ${burst}\nemail.ratelimit_sender.rate_hz = ${rate}`,
    },
  });
  try {
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    for (let i = 0; i < 3; i++) {
      const address = `${i}@sample.test`;
      const stored = await postJson(`${v1}/store-invite`, { ...INVITE, address });
      expect(stored.status).toBe(200);
    }
  } finally {
    await server.stop();
  }
});
