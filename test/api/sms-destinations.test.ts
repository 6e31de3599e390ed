import { afterEach, expect, test } from 'vitest';
import { get, postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, type TestProvider } from '../support/sms.ts';

let provider: TestProvider;
let server: TestServer;

async function start(general: string, sms = '', limits = ''): Promise<void> {
  provider = await startOpenMarket();
  server = await startTestServer({
    sections: { general, limits, sms: `${provider.config}\n${sms}` },
  });
}
afterEach(async () => {
  await server.stop();
  await provider.close();
});

const ENFORCED = 'limits.enforce = true';
/** Premium-rate, shared-cost, personal, company-wide, satellite; with digits behind it, with a trunk 0. */
const SPECIAL = [
  '+44 909 879 0879',
  '+1 900 234 5678',
  '+44 843 123 4567',
  '+44 70 1234 5678',
  '+44 55 1234 5678',
  '+870 773 111 632',
  '+8816 1234 5678',
  '+44 909 879 0879 12',
  '+44 0 909 879 0879 1',
];
const ORDINARY = [
  '+44 7700 900123',
  '+1 650 253 0001',
  '+49 1512 3456789',
  '+86 131 2345 6789',
  '+91 81234 56789',
  '+55 11 96123 4567',
  '+81 90 1234 5678',
  '+39 312 345 6789',
  '+234 802 123 4567',
];

let secrets = 0;
async function ask(number: string): Promise<string> {
  const { status, json } = await postJson(
    `${server.url}/_matrix/identity/api/v1/validate/msisdn/requestToken`,
    { phone_number: number, country: 'GB', client_secret: `secret${secrets++}`, send_attempt: 1 },
  );
  return status === 200 ? 'sent' : `${status} ${json.errcode}`;
}
const askAll = (numbers: readonly string[]) => Promise.all(numbers.map(ask));
const all = (numbers: readonly string[], answer: string) => numbers.map(() => answer);
const REFUSED = '400 M_DESTINATION_REJECTED';

test('a text message to a number that costs more is refused, and everybody else gets theirs', async () => {
  await start(ENFORCED);
  expect(await askAll(SPECIAL)).toEqual(all(SPECIAL, REFUSED));
  expect(provider.posts).toHaveLength(0);
  expect(await server.database.execute('select id from threepid_validation_sessions')).toEqual([]);
  expect(await askAll(ORDINARY)).toEqual(all(ORDINARY, 'sent'));
  const { text } = await get(`${server.metricsUrl}/metrics`);
  expect(text).toContain(
    `cognomen_limit_exceeded_total{limit="sms.destinations",enforced="true"} ${SPECIAL.length}`,
  );
});

test('rules name numbers by their beginning, and the longest counts', async () => {
  const rules = `smsrule.44 = allow
smsrule.4470 = allow
smsrule.8816 = allow
smsrule.870 = allow
smsrule.49 = reject
smsrule.491512 = allow
smsrule.44770090 = reject`;
  await start(ENFORCED, rules);
  expect(await ask('+44 70 1234 5678')).toBe('sent');
  expect(await ask('+8816 1234 5678')).toBe('sent');
  expect(await ask('+8817 1234 5678')).toBe(REFUSED);
  expect(await ask('+870 773 111 632')).toBe('sent');
  expect(await ask('+44 909 879 0879')).toBe(REFUSED);
  expect(await ask('+44 7700 900123')).toBe(REFUSED);
  expect(await ask('+44 7701 900123')).toBe('sent');
  expect(await ask('+49 1512 3456789')).toBe('sent');
  expect(await ask('+49 1602 3456789')).toBe(REFUSED);
});

test('as long as limits only report, such messages go out and count; what a rule rejects does not', async () => {
  await start('', 'smsrule.4470 = reject');
  expect(await ask('+44 909 879 0879')).toBe('sent');
  expect(await ask('+8816 1234 5678')).toBe('sent');
  expect(await ask('+44 7700 900123')).toBe('sent');
  expect(await ask('+44 70 1234 5678')).toBe(REFUSED);
  const { text } = await get(`${server.metricsUrl}/metrics`);
  expect(text).toContain(
    'cognomen_limit_exceeded_total{limit="sms.destinations",enforced="false"} 2',
  );
  const said = server.logs.filter((line) => line.includes('The limit sms.destinations'));
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('smsrule.PREFIX');
});

test('whoever allows all destinations gets them', async () => {
  await start(ENFORCED, '', 'sms.destinations = allowed');
  expect(await askAll(SPECIAL.slice(0, 5))).toEqual(all(SPECIAL.slice(0, 5), 'sent'));
});
