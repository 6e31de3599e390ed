import { expect, test } from 'vitest';
import { patternOfReply } from '../../src/identity/messages/reply-patterns.ts';

const ADA = 'ada@mail.sample.test';

test.each([
  ['250 2.0.0 Ok: queued as 4Vx3Yk2Z8qz1', '250 2.0.0 Ok: queued as (id)'],
  ['250 2.0.0 Ok: queued as B5C0D1E2F3', '250 2.0.0 Ok: queued as (id)'],
  [
    '550 5.1.1 <ada@mail.sample.test>: Recipient address rejected: User unknown',
    '550 5.1.1 <(address)>: Recipient address rejected: User unknown',
  ],
  ['550 No such user: ada', '550 No such user: (address)'],
  [
    'Host or domain name not found. Name service error for name=mail.sample.test type=MX',
    'Host or domain name not found. Name service error for name=(domain) type=MX',
  ],
  ['connect ECONNREFUSED 127.0.0.1:25', 'connect ECONNREFUSED (number)'],
  [
    '421 4.7.0 [192.0.2.7] Too many messages, see https://relay.test/help?id=77',
    '421 4.7.0 [(IP)] Too many messages, see (link)',
  ],
  [
    '451 from mx17.relay.test: try again in 300 seconds',
    '451 from mx#.relay.test: try again in (number) seconds',
  ],
  ['Greeting   never\treceived', 'Greeting never received'],
  ['TLS1 v2 needed', 'TLS1 v2 needed'],
  ['', ''],
])('of %j', (reply, pattern) => {
  expect(patternOfReply(reply, ADA)).toBe(pattern);
});

test('the number of who got a text message is none of it', () => {
  expect(patternOfReply('21211: +447700900123 is not a valid number', '447700900123')).toBe(
    '(number): +(address) is not a valid number',
  );
});
