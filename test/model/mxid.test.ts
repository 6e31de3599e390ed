import { expect, test } from 'vitest';
import { homeserverOf, parseMxid } from '../../src/model/mxid.ts';
import { isReachableName, isServerName } from '../../src/model/server-name.ts';

test.each([
  'example.org',
  'EXAMPLE.org:8448',
  'localhost',
  '1.2.3.4',
  '1.2.3.4:1234',
  '[::1]',
  '[2001:db8::1]:8448',
  '[1:2:3:4:5:6:7:8]',
  '[::ffff:1.2.3.4]',
  `${'a'.repeat(230)}`,
  'example.org:0',
  'example.org:04242',
  'example.org:99999',
  '[::1]:00001',
])('%s is a server name', (name) => {
  expect(isServerName(name)).toBe(true);
});

test.each([
  '',
  'exa mple.org',
  'example.org:',
  'example.org:123456',
  'example.org:80:80',
  'example.org/path',
  'user@example.org',
  'exämple.org',
  '::1',
  '[::1',
  '[::1]x',
  '[1::2::3]',
  '[12345::]',
  '[1:2:3:4:5:6:7]',
  '[1.2.3.4::]',
  '[]',
  'a_b',
  `${'a'.repeat(231)}`,
])('%j is not a server name', (name) => {
  expect(isServerName(name)).toBe(false);
});

test.each([
  'example.org:0',
  'example.org:00000',
  'example.org:04242',
  'example.org:65536',
  '[::1]:0',
  '1.2.3.4:099',
  'exa mple.org',
])('nobody can connect to %s', (name) => {
  expect(isReachableName(name)).toBe(false);
  expect(homeserverOf(`@ada:${name}`)).toBeUndefined();
});

test.each([
  'example.org',
  'Example.org:1',
  'example.org:65535',
  '[::1]',
  '[::1]:8448',
  '1.2.3.4:80',
])('%s can be connected to', (name) => {
  expect(isReachableName(name)).toBe(true);
  expect(homeserverOf(`@ada:${name}`)).toBe(name.toLowerCase());
});

test.each([
  ['@ada:sample.test', 'ada', 'sample.test'],
  ['@ada:sample.test:04242', 'ada', 'sample.test:04242'],
  ['@a/b+c=d.e_f-g:[::1]:8448', 'a/b+c=d.e_f-g', '[::1]:8448'],
  ['@Ädä!:sample.test', 'Ädä!', 'sample.test'],
])('%s is a user id', (mxid, localpart, serverName) => {
  expect(parseMxid(mxid)).toEqual({ localpart, serverName });
});

test.each([
  '',
  'ada',
  'ada:sample.test',
  '@ada',
  '@:sample.test',
  '@ada:',
  '@a b:sample.test',
  '@a\nb:sample.test',
  '@ada:sample test',
  '@\ud800:sample.test',
  `@${'a'.repeat(250)}:b.test`,
])('%j is not a user id', (mxid) => {
  expect(parseMxid(mxid)).toBeUndefined();
});
