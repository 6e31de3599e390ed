import { afterEach, describe, expect, test } from 'vitest';
import { request, type TestAnswer } from '../support/http.ts';
import { type Sections, startTestServer, type TestServer } from '../support/server.ts';
import { startWebhook, type TestProvider } from '../support/sms.ts';

const FORWARDED = 'obey_x_forwarded_for = true';

let server: TestServer;
let provider: TestProvider | undefined;

async function start(
  limits: string,
  sections: Sections = {},
  enforce: 'true' | 'report' = 'true',
): Promise<void> {
  server = await startTestServer({
    sections: {
      http: FORWARDED,
      email: 'email.ratelimit_sender.burst = 1000',
      ...sections,
      limits,
      general: `limits.enforce = ${enforce}\n${sections.general ?? ''}`,
    },
  });
}

afterEach(async () => {
  await server.stop();
  await provider?.close();
  provider = undefined;
});

interface From {
  readonly network?: string;
  readonly token?: string;
}

/** A POST as a proxy passes it on. */
const post = (path: string, body: object, { network = '192.0.2.1', token }: From = {}) =>
  request(`${server.url}/_matrix/identity${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-forwarded-for': network,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });

let secrets = 0;

/** Each of them asks for a mail of its own. */
const mail = (email: string, from: From = {}) =>
  post(
    `${from.token === undefined ? '/api/v1' : '/v2'}/validate/email/requestToken`,
    {
      email,
      client_secret: `secret${secrets++}`,
      send_attempt: 1,
    },
    from,
  );

const invite = (address: string, sender: string, from: From = {}) =>
  post(
    `${from.token === undefined ? '/api/v1' : '/v2'}/store-invite`,
    {
      medium: 'email',
      address,
      room_id: '!tea:sample.test',
      sender,
    },
    from,
  );

const message = (phone_number: string, country: string, from: From = {}) =>
  post(
    `${from.token === undefined ? '/api/v1' : '/v2'}/validate/msisdn/requestToken`,
    {
      phone_number,
      country,
      client_secret: `secret${secrets++}`,
      send_attempt: 1,
    },
    from,
  );

/** What was answered: 200, or the limit that refused. */
function outcome({ status, json, headers }: TestAnswer): number | string {
  if (status !== 429) return status;
  expect(json.errcode).toBe('M_LIMIT_EXCEEDED');
  expect(json.retry_after_ms).toBeGreaterThan(0);
  expect(Number(headers.get('retry-after'))).toBe(Math.ceil(json.retry_after_ms / 1000));
  return /the limit (?:\S+ \()?([^\s)]+)\)? is reached/.exec(json.error)?.[1] ?? json.error;
}

async function outcomes(times: number, ask: (n: number) => Promise<TestAnswer>) {
  const all: (number | string)[] = [];
  for (let n = 0; n < times; n++) all.push(outcome(await ask(n)));
  return all;
}

const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);

async function exceeded(): Promise<string[]> {
  const { text } = await request(`${server.metricsUrl}/metrics`);
  return text.split('\n').filter((line) => line.startsWith('cognomen_limit_exceeded_total{'));
}

describe('mails', () => {
  test('of made-up senders in version 1 are limited by network, and those of others are not', async () => {
    await start('');
    // Sydent's limit lets 1,000 through in this configuration, and so version 1 may send as many.
    expect(await outcomes(3, (n) => invite(`u${n}@sample.test`, `@u${n}:made-up.test`))).toEqual(
      times(3, 200),
    );
    await server.stop();
    await start('', { email: '' });
    const made = await outcomes(22, (n) => invite(`u${n}@sample.test`, `@u${n}:made-up.test`));
    expect(made).toEqual([...times(20, 200), 'mail.network_v1', 'mail.network_v1']);
    const other = await invite('x@sample.test', '@u1:other.test', { network: '198.51.100.7' });
    expect(outcome(other)).toBe(200);
    server.clock.advance(60_000);
    expect(outcome(await invite('y@sample.test', '@uy:made-up.test'))).toBe(200);
  });

  test('that somebody claims an account causes take nothing from that account', async () => {
    await start('', { email: 'email.ratelimit_sender.burst = 2' });
    const grace = '@grace:sample.test';
    const token = await server.token(grace);
    const claimed = await outcomes(3, (n) => invite(`u${n}@sample.test`, grace));
    expect(claimed).toEqual([200, 200, 'email.ratelimit_sender']);
    const own = await outcomes(3, (n) => invite(`v${n}@sample.test`, grace, { token }));
    expect(own).toEqual([200, 200, 'email.ratelimit_sender']);
  });

  test('of many accounts behind one address are limited by network in version 2', async () => {
    await start('mail.network.burst = 3');
    const tokens = await Promise.all([1, 2, 3, 4].map((n) => server.token(`@u${n}:sample.test`)));
    const all = await outcomes(4, (n) => mail(`u${n}@sample.test`, { token: tokens[n] ?? '' }));
    expect(all).toEqual([200, 200, 200, 'mail.network']);
    const from = { token: tokens[3] ?? '', network: '198.51.100.7' };
    expect(outcome(await mail('u4@sample.test', from))).toBe(200);
  });

  test('cannot lock anybody out of their mailbox', async () => {
    await start('');
    const attacker = await server.token('@mallory:sample.test');
    const all = await outcomes(7, (n) =>
      mail(`Ada+${n}@sample.test`, { token: attacker, network: `192.0.2.${n}` }),
    );
    expect(all).toEqual([...times(5, 200), ...times(2, 'mail.recipient_share')]);
    // Nor from one network, without an account.
    const anonymous = await outcomes(7, () => mail('ada@sample.test', { network: '203.0.113.3' }));
    expect(anonymous).toEqual([...times(5, 200), ...times(2, 'mail.recipient_share')]);
    const ada = { network: '198.51.100.7', token: await server.token('@ada:sample.test') };
    expect(outcome(await mail('ada@sample.test', ada))).toBe(200);
  });

  test('to one mailbox have an end, whatever it is called and whoever asks', async () => {
    await start('');
    const all = await outcomes(25, (n) =>
      mail(n % 2 === 0 ? 'ada@sample.test' : `ADA+${n}@Sample.test`, { network: `192.0.2.${n}` }),
    );
    expect(all).toEqual([...times(20, 200), ...times(5, 'email.ratelimit_recipient')]);
    expect(outcome(await mail('grace@sample.test', { network: '192.0.2.1' }))).toBe(200);
  });

  test('beyond what a domain takes are let through for those who caused none', async () => {
    await start('mail.domain.burst = 3\nmail.domain.rate_hz = 1/600');
    const flood = await outcomes(4, (n) => mail(`u${n}@sample.test`));
    expect(flood).toEqual([200, 200, 200, 'mail.domain']);
    expect(outcome(await mail('u@elsewhere.test'))).toBe(200);
    const honest = (n: number) => ({ network: `198.51.100.${n}` });
    const others = await outcomes(5, (n) => mail(`v${n}@sample.test`, honest(n)));
    expect(others).toEqual([200, 200, 200, 'mail.domain', 'mail.domain']);
    // An hour later the one who flooded is as good as any.
    server.clock.advance(3_600_000);
    const later = await outcomes(3, (n) => mail(`w${n}@sample.test`, honest(n + 10)));
    expect(later).toEqual(times(3, 200));
    expect(outcome(await mail('x@sample.test'))).toBe(200);
    expect(outcome(await mail('y@sample.test'))).toBe('mail.domain');
  });

  test('in all have an end', async () => {
    await start('mail.total.burst = 2');
    const flood = await outcomes(3, (n) => mail(`u${n}@d${n}.test`));
    expect(flood).toEqual([200, 200, 'mail.total']);
    expect(outcome(await mail('v@d.test', { network: '198.51.100.7' }))).toBe(200);
  });

  test('that are refused count nowhere', async () => {
    await start('mail.network_v1.burst = 2', { email: 'email.ratelimit_sender.burst = 1' });
    expect(await outcomes(3, (n) => mail(`u${n}@sample.test`))).toEqual([
      200,
      ...times(2, 'email.ratelimit_sender'),
    ]);
    expect(outcome(await invite('x@sample.test', '@ada:sample.test'))).toBe(200);
  });
});

describe('text messages', () => {
  const french = (n: number) => `+3361234${5001 + n}`;
  const withProvider = async (limits: string, sms = '') => {
    provider = await startWebhook();
    await start(limits, { sms: `${provider.config}\n${sms}` });
  };

  test('are limited by account and by network', async () => {
    await withProvider('sms.network.burst = 7');
    const [ada, grace] = [
      await server.token('@ada:sample.test'),
      await server.token('@grace:sample.test'),
    ];
    const first = await outcomes(6, (n) => message(french(n), 'FR', { token: ada }));
    expect(first).toEqual([...times(5, 200), 'sms.account']);
    const second = await outcomes(3, (n) => message(french(10 + n), 'FR', { token: grace }));
    expect(second).toEqual([200, 200, 'sms.network']);
    const elsewhere = { token: grace, network: '198.51.100.7' };
    expect(outcome(await message(french(20), 'FR', elsewhere))).toBe(200);
    expect(provider?.messages).toHaveLength(8);
  });

  test('to a country that one has used up go out for those who caused none', async () => {
    await withProvider('', 'country.ratelimit.burst = 2');
    expect(await outcomes(3, (n) => message(french(n), 'FR'))).toEqual([
      200,
      200,
      'country.ratelimit',
    ]);
    const honest = { network: '198.51.100.7' };
    expect(outcome(await message(french(10), 'FR', honest))).toBe(200);
    expect(outcome(await message(french(11), 'FR', honest))).toBe('country.ratelimit');
  });

  test('have a cap a day, set back at midnight', async () => {
    await withProvider('sms.daily.burst = 2');
    server.clock.advance(60_000);
    expect(await outcomes(3, (n) => message(french(n), 'FR'))).toEqual([200, 200, 'sms.daily']);
    const { json } = await message(french(3), 'FR');
    expect(json.retry_after_ms).toBe(24 * 3_600_000 - 60_000);
    server.clock.advance(json.retry_after_ms);
    expect(outcome(await message(french(3), 'FR'))).toBe(200);
  });
});

describe('the client', () => {
  test('with IPv6 is a /64, and some of the networks around it', async () => {
    await start('mail.network_v1.burst = 2\nmail.network_v1.rate_hz = 1/1000');
    const from = (subnet: string) => ({ network: `2001:db8:a:${subnet}::${secrets}` });
    let n = 0;
    const next = (subnet: string) => mail(`u${n++}@sample.test`, from(subnet));
    expect(await outcomes(3, () => next('100'))).toEqual([200, 200, 'mail.network_v1']);
    // 4 times as much in a /56, 16 times in a /48.
    expect(
      await outcomes(8, (i) => next(`1${Math.floor(i / 2)}${i % 2 === 0 ? '1' : '1'}`)),
    ).toEqual(expect.arrayContaining([200]));
    const many = await outcomes(40, (i) => next(`${(i + 2).toString(16)}00`));
    expect(many.filter((status) => status === 200).length).toBeLessThanOrEqual(32);
    expect(many.at(-1)).toBe('mail.network_v1');
    const elsewhere = { network: '2001:db8:b::1' };
    expect(outcome(await mail('v@sample.test', elsewhere))).toBe(200);
  });

  test('behind a proxy that hides it is not limited by network, and the log says so hourly', async () => {
    await start('mail.network_v1.burst = 1', { http: '' });
    expect(await outcomes(3, (n) => mail(`u${n}@sample.test`))).toEqual(times(3, 200));
    const warnings = () => server.logs.filter((line) => line.includes('hides its clients')).length;
    expect(warnings()).toBe(1);
    server.clock.advance(3_600_000);
    await mail('u4@sample.test');
    expect(warnings()).toBe(2);
  });

  test('in a trusted network is not limited by network', async () => {
    await start('mail.network_v1.burst = 1', {
      general: 'limits.trusted_networks = 192.0.2.0/24',
    });
    expect(await outcomes(3, (n) => mail(`u${n}@sample.test`))).toEqual(times(3, 200));
  });
});

describe('what limits.enforce says', () => {
  test('report: own limits count and say so once a minute, and refuse nothing', async () => {
    await start(
      'mail.network_v1.burst = 1\nmail.network_v1.rate_hz = 1/1000',
      {
        email: 'email.ratelimit_sender.burst = 5',
      },
      'report',
    );
    expect(server.logs.join('')).toContain('These limits only count and log');
    // Sydent's own limit holds.
    expect(await outcomes(6, (n) => mail(`u${n}@sample.test`))).toEqual([
      ...times(5, 200),
      'email.ratelimit_sender',
    ]);
    expect(await exceeded()).toEqual([
      'cognomen_limit_exceeded_total{limit="mail.network_v1",enforced="false"} 5',
      'cognomen_limit_exceeded_total{limit="email.ratelimit_sender",enforced="true"} 1',
    ]);
    const lines = () => server.logs.filter((line) => line.includes('The limit mail.network_v1'));
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toContain('[limits] mail.network_v1.burst and .rate_hz');
    server.clock.advance(60_000);
    await mail('v@sample.test');
    expect(lines()).toHaveLength(2);
  });

  test('a limit of 0 is off', async () => {
    await start(
      'mail.network_v1.burst = 0\nemail.ratelimit_sender.burst = 0\nmail.total.rate_hz = 0',
      {
        email: 'email.ratelimit_sender.burst = 1',
      },
    );
    expect(await outcomes(30, (n) => mail(`u${n}@sample.test`))).toEqual(times(30, 200));
  });

  test('what is set for a limit holds for version 1, too, and refusals name it', async () => {
    await start('mail.network.burst = 2\nmail.network.rate_hz = 1/1000', {
      email: 'email.ratelimit_sender.burst = 30',
    });
    const ask = (n: number) => mail(`u${n}@sample.test`);
    expect(await outcomes(3, ask)).toEqual([200, 200, 'mail.network_v1']);
    expect((await ask(4)).json.error).toContain('the limit mail.network (mail.network_v1) is');
  });

  test('a limit of 0 turns its parts off', async () => {
    await start('mail.network.burst = 0\nemail.ratelimit_recipient.rate_hz = 0', {
      email: 'email.ratelimit_sender.burst = 50',
    });
    expect(await outcomes(30, () => mail('ada@sample.test'))).toEqual(times(30, 200));
  });

  test('a key that a limit had before goes on refusing under report', async () => {
    await start(
      '',
      {
        general: 'lookup.client_ratelimit.burst = 1',
      },
      'report',
    );
    const lookup = () =>
      request(`${server.url}/_matrix/identity/api/v1/lookup?medium=email&address=x@y.test`, {
        headers: { 'x-forwarded-for': '192.0.2.1' },
      });
    expect(await outcomes(2, lookup)).toEqual([200, 'lookup.network_v1']);
  });
});
