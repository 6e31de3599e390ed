import { describe, expect, test } from 'vitest';
import { LONGEST_ADDRESS, parseThreePid } from '../../src/model/addresses.ts';
import { IdentityError, isOutcomeUnknown, UnknownOutcomeError } from '../../src/model/errors.ts';
import { LIMITS, wholeOf } from '../../src/model/limits.ts';
import { parseMxid } from '../../src/model/mxid.ts';
import { aheadOf, isNewer, replaces } from '../../src/model/precedence.ts';
import { isReachableName, isServerName } from '../../src/model/server-name.ts';
import { parseWebClient } from '../../src/model/web-client.ts';

describe('just what fits is taken:', () => {
  const address = (length: number) => `${'a'.repeat(length - '@one.test'.length)}@one.test`;
  const letters = (count: number) => `${'é'.repeat(count)}@one.test`;
  const inBytes = Math.floor((LONGEST_ADDRESS - '@one.test'.length) / 2);
  const user = (length: number) => `@${'a'.repeat(length - 10)}:one.test`;

  test.each([
    ['an address of as many bytes as there may be', () => address(LONGEST_ADDRESS), true],
    ['a byte more', () => address(LONGEST_ADDRESS + 1), false],
    ['letters of two bytes', () => letters(inBytes), true],
    ['a letter of two bytes more', () => letters(inBytes + 1), false],
    ['a label of 63 characters', () => `a@${'b'.repeat(63)}.test`, true],
    ['a label of 64 characters', () => `a@${'b'.repeat(64)}.test`, false],
    ['a domain of 255 characters', () => `a@${'b.'.repeat(127)}c`, true],
    ['a domain of 256 characters', () => `a@${'b.'.repeat(127)}cc`, false],
  ])('%s', (_what, make, expected) => {
    expect(parseThreePid('email', make()) !== undefined).toBe(expected);
  });

  test.each([
    ['12', true],
    ['1', false],
    ['123456789012345', true],
    ['1234567890123456', false],
    ['123456789012345x', false],
  ])('the number %s: %s', (number, expected) => {
    expect(parseThreePid('msisdn', number) !== undefined).toBe(expected);
    expect(parseThreePid('email', number)).toBeUndefined();
  });

  test.each([
    ['a user id of 255 bytes', () => user(255), true],
    ['a user id of 256 bytes', () => user(256), false],
    ['a user id of 255 characters and more bytes', () => `@é${user(254).slice(1)}`, false],
    ['a local part of one character', () => '@a:one.test', true],
    ['no local part', () => '@:one.test', false],
  ])('%s', (_what, make, expected) => {
    expect(parseMxid(make()) !== undefined).toBe(expected);
  });

  test.each([
    ['[1:2:3:4:5:6:7:8]', true],
    ['[1:2:3:4:5:6:7]', false],
    ['[1:2:3:4:5:6:7:8:9]', false],
    ['[1:2:3:4:5:6:192.0.2.1]', true],
    ['[1:2:3:4:5:192.0.2.1]', false],
    ['[1:2:3:4:5:6:7:192.0.2.1]', false],
    ['[::]', true],
    ['[1::]', true],
    ['[1:2:3::5:6:7:8]', true],
    ['[1:2:3:4::5:6:7:8]', false],
    ['[1:2:3:4:5:6:7::]', true],
    ['[::192.0.2.1]', true],
    ['[1:2:3:4:5::192.0.2.1]', true],
    ['[1:2:3:4:5:6::192.0.2.1]', false],
    ['[192.0.2.1::]', false],
    ['[192.0.2.1]', false],
    ['[::1:192.0.2.256]', false],
    ['[1::2::3]', false],
    ['[::12345]', false],
    ['one.test:65536', true],
    ['one.test:123456', false],
  ])('the server name %s: %s', (name, expected) => {
    expect(isServerName(name)).toBe(expected);
  });

  test.each([
    ['one.test:65535', true],
    ['one.test:65536', false],
    ['one.test:0', false],
    ['[::1]', true],
    ['[::8448]', true],
    ['[::99999]', false],
    ['[::1]:8448', true],
    ['[::1]:65536', false],
  ])('a server is reached at %s: %s', (name, expected) => {
    expect(isReachableName(name)).toBe(expected);
  });

  test.each([
    ['https://one.test/', { location: 'https://one.test', host: 'one.test' }],
    ['http://one.test:8080/a//', { location: 'http://one.test:8080/a', host: 'one.test:8080' }],
    ['https://user@one.test/', undefined],
    ['https://:word@one.test/', undefined],
    ['https://user:word@one.test/', undefined],
    ['ftp://one.test/', undefined],
    ['https://one.test/ ', undefined],
    [`https://one.test/${'a'.repeat(1000 - 17)}`, expect.objectContaining({ host: 'one.test' })],
    [`https://one.test/${'a'.repeat(1001 - 17)}`, undefined],
    ['https://[/', undefined],
  ])('the web client at %s', (url, expected) => {
    expect(parseWebClient(url)).toEqual(expected);
  });
});

describe('of two things said of an address,', () => {
  const NOW = 1_000_000_000_000;
  const said = (originId: number, ts: number, originServer = 'id.test') => ({
    ...{ originServer, originId, ts: NOW + ts },
  });
  const after = (deletes: boolean) => ({ ...said(5, 0), deletes });

  test.each([
    ['a binding', false, said(4, 0), true],
    ['a binding', false, said(4, 1), false],
    ['a binding', false, said(5, 0), false],
    ['a binding', false, said(6, -1), false],
    ['a deletion', true, said(4, 1), true],
    ['a deletion', true, said(6, 0), true],
    ['a deletion', true, said(6, 1), false],
    ['a deletion', true, said(6, 0, 'other.test'), true],
    ['a deletion', true, said(4, 1, 'other.test'), false],
  ])('%s: whether it replaces (%s) %j: %s', (_kind, deletes, stored, expected) => {
    expect(replaces(after(deletes), stored, aheadOf(NOW))).toBe(expected);
  });

  test('the one stored last counts when both were made at once, and nothing counts before itself', () => {
    expect(isNewer({ ts: 1, id: 2 }, { ts: 1, id: 1 })).toBe(true);
    expect(isNewer({ ts: 1, id: 1 }, { ts: 1, id: 2 })).toBe(false);
    expect(isNewer({ ts: 1, id: 1 }, { ts: 1, id: 1 })).toBe(false);
  });
});

test('only a refusal whose cause says so leaves open whether a message went out', () => {
  const unknown = new UnknownOutcomeError('It broke', { cause: undefined });
  const refusal = (cause?: unknown) => new IdentityError('email-not-sent', 'It broke', { cause });
  expect(isOutcomeUnknown(refusal(unknown))).toBe(true);
  expect(isOutcomeUnknown(refusal())).toBe(false);
  expect(isOutcomeUnknown(refusal(new Error('Refused')))).toBe(false);
  expect(isOutcomeUnknown(new Error('It broke', { cause: unknown }))).toBe(false);
  expect('cause' in refusal()).toBe(false);
});

test('a part of a limit names its whole, and no other limit does', () => {
  expect(wholeOf('mail.network_v1')).toBe('mail.network');
  expect(wholeOf('mail.network')).toBeUndefined();
  expect(wholeOf('sms.destinations')).toBeUndefined();
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    const whole = wholeOf(name);
    if (whole !== undefined) expect(Object.keys(LIMITS)).toContain(whole);
  }
});
