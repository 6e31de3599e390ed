import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import pino from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { createReporter } from '../../src/delivery/reporting.ts';
import { createSmsSender } from '../../src/delivery/sms/sms.ts';
import { isOutcomeUnknown } from '../../src/model/errors.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import {
  createOutboundClient,
  type OutboundDependencies,
} from '../../src/platform/outbound/outbound.ts';
import { createNameResolver } from '../../src/platform/outbound/resolver.ts';
import type { PhoneNumber } from '../../src/platform/phone-numbers.ts';
import { renderConfig, SIGNING_KEY } from '../support/server.ts';
import {
  type Behaviour,
  startOpenMarket,
  startTwilio,
  startWebhook,
  type TestProvider,
} from '../support/sms.ts';

const PROVIDERS = { openmarket: startOpenMarket, twilio: startTwilio, webhook: startWebhook };
const CODE = '482915';
const NUMBER: PhoneNumber = {
  msisdn: '447700900750',
  international: '+44 7700 900750',
  callingCode: '44',
  kind: 'ordinary',
};
const REFUSED = { ...NUMBER, msisdn: '447700900000' };

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const item of closing.splice(0).reverse()) await item.close();
});

async function opened(start: () => Promise<TestProvider>): Promise<TestProvider> {
  const provider = await start();
  closing.push(provider);
  return provider;
}

const within = (total: number) => ({ answer: total, total });

/** What sends by these lines of the [sms] section, and what it logs and counts. */
function sender(lines: string, total = 5000, limits: OutboundDependencies['limits'] = {}) {
  const { config } = parseConfig(
    'test.conf',
    renderConfig({ sms: lines, crypto: `ed25519.signingkey = ${SIGNING_KEY}` }),
    { env: {}, hostname: 'id.test' },
  );
  const logs: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logs.push(line) });
  const metrics = createMetrics();
  const outbound = createOutboundClient({
    blacklist: [],
    whitelist: [],
    resolver: createNameResolver({ servers: [], clock: systemClock }),
    clock: systemClock,
    metrics,
    logger,
    limits,
  });
  closing.push(outbound);
  const trail = { note: () => {} };
  const report = createReporter({ logger, clock: systemClock, metrics, trail });
  const sending = (time: number) =>
    createSmsSender(config.sms, { metrics, outbound, report, time: within(time) }).sendCode;
  return {
    send: (to = NUMBER) => sending(total)({ to, code: CODE }),
    /** The same for a caller with that patience, in milliseconds. */
    sendWithin: (patience: number) => sending(patience)({ to: NUMBER, code: CODE }),
    logs,
    count: async (outcome: string) => {
      const metric = await metrics.registry.getSingleMetric('cognomen_sms_total')?.get();
      return metric?.values.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
    },
  };
}

describe('OpenMarket', () => {
  test('gets what its API asks for, and its references are logged', async () => {
    const provider = await opened(startOpenMarket);
    const { send, logs } = sender(provider.config);
    await send();
    const [post] = provider.posts;
    expect(post?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('om-user:om-hush').toString('base64')}`,
      'content-type': 'application/json',
    });
    expect(JSON.parse(post?.body ?? '')).toEqual({
      mobileTerminate: {
        destination: { address: '447700900750' },
        message: { content: `Your code is ${CODE}`, type: 'text' },
        source: { ton: 5, address: 'Matrix' },
      },
    });
    expect(JSON.parse(logs.at(-1) ?? '')).toMatchObject({
      provider: 'openmarket',
      requestId: 'BAC=DE1396F5-C67B-46CF',
      messageId: '03155-0331L-1439U-51SLFX',
    });
  });

  test.each([
    ['long:447700900111', { ton: 1, address: '447700900111' }],
    ['short:12345', { ton: 3, address: '12345' }],
    ['alpha:My Server', { ton: 5, address: 'My Server' }],
  ])('gets the originator %s', async (entry, source) => {
    const provider = await opened(startOpenMarket);
    await sender(`${provider.config}\noriginators.44 = ${entry}`).send();
    expect(provider.messages[0]?.from).toEqual(source);
  });

  test('says in the log why it refused', async () => {
    const provider = await opened(startOpenMarket);
    const { send, logs } = sender(provider.config);
    await expect(send(REFUSED)).rejects.toMatchObject({ fault: 'sms-not-sent' });
    expect(JSON.parse(logs.at(-1) ?? '')).toMatchObject({
      requestId: 'BAC=DE1396F5-C67B-46CF',
      reason: 'it answered 400, code 158, Invalid address (digits) for Your code is (digits)',
    });
  });
});

describe('Twilio', () => {
  test('gets what its API asks for, and its reference is logged', async () => {
    const provider = await opened(startTwilio);
    const { send, logs } = sender(`${provider.config}\nbodyTemplate = Grüße & {token}`);
    await send();
    const [post] = provider.posts;
    expect(post?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('AC0123:tw-hush').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(Object.fromEntries(new URLSearchParams(post?.body))).toEqual({
      To: '+447700900750',
      From: '+15005550006',
      Body: `Grüße & ${CODE}`,
    });
    expect(JSON.parse(logs.at(-1) ?? '')).toMatchObject({
      provider: 'twilio',
      messageId: 'SM0123456789abcdef',
    });
  });

  test.each([
    ['', { MessagingServiceSid: 'MG0123' }],
    ['sms.twilio.from = Cognomen', { From: 'Cognomen', MessagingServiceSid: 'MG0123' }],
    ['originators.44 = long:447700900111', { From: '+447700900111' }],
    ['originators.44 = long:+447700900111', { From: '+447700900111' }],
    ['originators.default = short:12345', { From: '12345' }],
    ['originators.44 = alpha:My Server', { From: 'My Server' }],
    ['originators.1 = alpha:Elsewhere', { MessagingServiceSid: 'MG0123' }],
  ])('with a messaging service and %j gets %j', async (lines, expected) => {
    const provider = await opened(() => startTwilio('sms.twilio.messaging_service_sid = MG0123'));
    await sender(`${provider.config}\n${lines}`).send();
    const { To, Body, ...from } = Object.fromEntries(new URLSearchParams(provider.posts[0]?.body));
    expect(from).toEqual(expected);
  });

  test('says in the log why it refused', async () => {
    const provider = await opened(startTwilio);
    const { send, logs } = sender(provider.config);
    await expect(send(REFUSED)).rejects.toMatchObject({ fault: 'sms-not-sent' });
    expect(JSON.parse(logs.at(-1) ?? '').reason).toBe(
      "it answered 400, code 21211, The 'To' number +(digits) is not a valid phone number: Your code is (digits)",
    );
  });
});

describe('a webhook', () => {
  test('gets JSON, signed as it is', async () => {
    const provider = await opened(startWebhook);
    await sender(`${provider.config}\nbodyTemplate = Grüße: {token}`).send();
    const [post] = provider.posts;
    expect([post?.method, post?.path]).toEqual(['POST', '/in?key=1']);
    expect(JSON.parse(post?.body ?? '')).toEqual({
      to: '447700900750',
      body: `Grüße: ${CODE}`,
      originator: null,
    });
    const signature = createHmac('sha256', 'wh-hush').update(post?.body ?? '', 'utf8');
    expect(post?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-cognomen-signature': `sha256=${signature.digest('hex')}`,
    });
  });

  test('gets the originator', async () => {
    const provider = await opened(startWebhook);
    await sender(`${provider.config}\noriginators.44 = short:12345`).send();
    expect(provider.messages[0]?.from).toEqual({ type: 'short', text: '12345' });
  });
});

test('when too many messages are waiting, the next is to come back later', async () => {
  const provider = await opened(startWebhook);
  const { send } = sender(provider.config, 5000, {
    rooms: { configured: { perHost: 1, waiting: 2 } },
  });
  const outcomes = await Promise.allSettled([send(), send(), send(), send()]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
  ]);
  expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { fault: 'overloaded', details: { retry_after_ms: 5000 } },
  });
  expect(provider.messages).toHaveLength(3);
});

test('one number always hears from the same sender, and its neighbour from the next', async () => {
  const provider = await opened(startWebhook);
  const { send } = sender(
    `${provider.config}\noriginators.44 = alpha:A, alpha:B,alpha:C\noriginators.default = alpha:D`,
  );
  // The sums of their digits are 46, 47 and 48.
  for (const last of [0, 1, 2, 0]) await send({ ...NUMBER, msisdn: `44770090075${last}` });
  await send({ ...NUMBER, callingCode: '1' });
  const from = provider.messages.map((message) => (message.from as { text: string }).text);
  expect(from).toEqual(['B', 'C', 'A', 'B', 'D']);
});

test.each([
  ['Code: {token}', `Code: ${CODE}`],
  ['{token} {{not}} {{{token}}} {{token}}', `${CODE} {not} {${CODE}} {token}`],
  ['$& $1 {token}', `$& $1 ${CODE}`],
  ['Code {token}\n  second line', `Code ${CODE}\nsecond line`],
])('the text is made from %j', async (template, text) => {
  const provider = await opened(startWebhook);
  await sender(`${provider.config}\nbodyTemplate = ${template}`).send();
  expect(provider.messages[0]?.text).toBe(text);
});

describe.each(Object.entries(PROVIDERS))('when %s', (_name, start) => {
  const secrets = new RegExp(
    `\\b${CODE}\\b|hush|${Buffer.from('om-user:om-hush').toString('base64')}|${Buffer.from('AC0123:tw-hush').toString('base64')}`,
  );

  const misbehaving: [string, Behaviour, outcome: string][] = [
    ['does not answer', () => {}, 'unreachable'],
    ['hangs up', ({ socket }) => socket.destroy(), 'unreachable'],
    ['breaks the connection', ({ socket }) => socket.resetAndDestroy(), 'unreachable'],
    ['answers half', (_, answer) => void answer.writeHead(200).write('{"sid":'), 'unreachable'],
    [
      'answers without end',
      (_, answer) => {
        const more = () => {
          while (!answer.destroyed && answer.write('x'.repeat(65_536)));
        };
        answer.writeHead(200).on('drain', more);
        more();
      },
      'unreachable',
    ],
    [
      'speaks something else',
      ({ socket }) => void socket.end('220 smtp.test ESMTP\r\n'),
      'unreachable',
    ],
    [
      'redirects',
      (_, answer) => void answer.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      'refused',
    ],
    [
      'repeats the code in an error',
      (_, answer) =>
        void answer.writeHead(400).end(
          JSON.stringify({
            code: CODE,
            message: `${CODE}\nforged line`,
            error: { code: CODE, description: `bad: Your code is ${CODE}` },
          }),
        ),
      'refused',
    ],
    [
      'answers nonsense',
      (_, answer) => void answer.writeHead(500, { 'x-request-id': 'a' }).end('<html>oops'),
      'refused',
    ],
    [
      'answers JSON of another kind',
      (_, answer) => void answer.writeHead(429).end('{"error": null, "code": {}, "message": 1}'),
      'refused',
    ],
  ];

  test.each(misbehaving)('%s, that is told, and logged without secrets', async (...each) => {
    const [, behaviour, outcome] = each;
    const provider = await opened(start);
    const { send, logs, count } = sender(provider.config, outcome === 'refused' ? 5000 : 400);
    provider.behave(behaviour);
    await expect(send()).rejects.toMatchObject({ fault: 'sms-not-sent' });
    const lines = logs.map((line) => JSON.parse(line)).filter((line) => line.outcome);
    expect(lines).toMatchObject([{ level: 50, kind: 'verification' }]);
    expect(logs.join('')).not.toMatch(secrets);
    expect(await count(outcome)).toBe(1);
    // Once is enough to be charged for.
    expect(provider.posts).toHaveLength(1);
    provider.behave(undefined);
    const patient = sender(provider.config);
    await patient.send();
    expect(provider.messages).toHaveLength(1);
    expect(await patient.count('sent')).toBe(1);
    expect(patient.logs.join('')).not.toMatch(secrets);
  });

  test('is not there, that is told', async () => {
    const provider = await start();
    const { send, logs } = sender(provider.config);
    await provider.close();
    await expect(send()).rejects.toMatchObject({ fault: 'sms-not-sent' });
    expect(logs.at(-1)).toContain('"failure":"unreachable"');
  });

  test('does not know the password, that is told', async () => {
    const provider = await opened(start);
    const { send, logs } = sender(provider.config.replaceAll('hush', 'wrong'));
    await expect(send()).rejects.toMatchObject({ fault: 'sms-not-sent' });
    expect(JSON.parse(logs.at(-1) ?? '').reason).toMatch(/^it answered 40[13]/);
    await expect(send()).rejects.toMatchObject({ fault: 'sms-not-sent' });
    // What to change is said once, not once a message.
    const advice = logs.filter((line) => /refused .*(password|token|secret)/.test(line));
    expect(advice).toHaveLength(1);
  });

  test('is asked by many at once, all get through, so many at a time', async () => {
    const provider = await opened(start);
    const { send } = sender(provider.config);
    await Promise.all(Array.from({ length: 100 }, () => send()));
    expect(provider.messages).toHaveLength(100);
    expect(provider.mostAtOnce).toBeLessThanOrEqual(50);
  });
});

describe('a message that failed', () => {
  const unknown = async (sending: Promise<void>) =>
    isOutcomeUnknown(await sending.catch((error: unknown) => error));

  test.each<[string, Behaviour, boolean]>([
    ['nobody answers', () => {}, true],
    ['the connection breaks', ({ socket }) => socket.destroy(), true],
    ['the answer is not HTTP', ({ socket }) => socket.end('hello\r\n\r\n'), true],
    ['the provider says no', (_request, response) => response.writeHead(503).end(), false],
  ])('when %s', async (_what, behave, expected) => {
    const provider = await opened(startOpenMarket);
    provider.behave(behave);
    expect(await unknown(sender(provider.config, 500).send())).toBe(expected);
  });

  test('has not gone out where no connection came about in time', async () => {
    const silent = createServer((socket) => void socket.on('error', () => {})).listen(
      0,
      '127.0.0.1',
    );
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const config = `username = a\npassword = b\nsms.openmarket.url = https://127.0.0.1:${port}/`;
    expect(await unknown(sender(config, 300).send())).toBe(false);
    silent.close();
  });

  test('has not gone out where its turn did not come in time', async () => {
    const provider = await opened(startOpenMarket);
    const held = Promise.withResolvers<() => void>();
    provider.behave((_request, response) => held.resolve(() => response.writeHead(201).end()));
    const limits = { rooms: { configured: { perHost: 1, waiting: 1 } } };
    const { send, sendWithin } = sender(provider.config, 60_000, limits);
    const first = send();
    const letGo = await held.promise;
    expect(await unknown(sendWithin(200))).toBe(false);
    letGo();
    await first;
    expect(provider.posts).toHaveLength(1);
  });
});
