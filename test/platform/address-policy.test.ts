import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy } from '../../src/platform/outbound/address-policy.ts';

const policy = (blacklist: string[] = [], whitelist: string[] = []) =>
  createAddressPolicy({ blacklist, whitelist });

describe('by default', () => {
  test.each([
    ['0.0.0.0', 'this host'],
    ['0.1.2.3', 'this network'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['169.254.169.254', 'link-local'],
    ['100.64.0.1', 'shared between carriers'],
    ['192.0.2.1', 'documentation'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['198.18.0.1', 'benchmarking'],
    ['192.0.0.8', 'protocol assignments'],
    ['192.88.99.1', '6to4 relays'],
    ['224.0.0.1', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'this host'],
    ['::1', 'loopback'],
    ['fe80::1', 'link-local'],
    ['fec0::1', 'site-local'],
    ['fc00::1', 'unique local'],
    ['fd12:3456:789a::1', 'unique local'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'documentation'],
    ['3fff::1', 'documentation'],
    ['100::1', 'discard'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo'],
    ['2001:2::1', 'benchmarking'],
    ['64:ff9b:1::a00:1', 'local NAT64'],
    ['::ffff:127.0.0.1', 'IPv4-mapped'],
    ['::ffff:a9fe:a9fe', 'IPv4-mapped'],
    ['0:0:0:0:0:ffff:10.0.0.1', 'IPv4-mapped'],
    ['::127.0.0.1', 'IPv4-compatible'],
    ['::a00:1', 'IPv4-compatible'],
    ['::ffff:0:10.0.0.1', 'IPv4-translated'],
    ['2002:7f00:1::', '6to4'],
    ['2002:c0a8:101::1', '6to4'],
    ['64:ff9b::10.0.0.1', 'NAT64'],
    ['64:ff9b::7f00:1', 'NAT64'],
    ['::ffff:0.0.0.0', 'this host, IPv4-mapped'],
  ])('%s (%s) is refused', (address) => {
    expect(policy().allows(address)).toBe(false);
  });

  test.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001:82a::200e',
    '::ffff:1.1.1.1',
    '2002:101:101::1',
    '64:ff9b::1.1.1.1',
  ])('%s is public', (address) => {
    expect(policy().allows(address)).toBe(true);
  });
});

test('an IPv4 address is judged alike in all its forms', () => {
  const lists = [policy(), policy(['1.2.0.0/16', '200.0.0.0/7']), policy([], ['10.0.0.0/9'])];
  const part = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.tuple(part, part, part, part), ([a, b, c, d]) => {
      const dotted = `${a}.${b}.${c}.${d}`;
      const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
      for (const list of lists) {
        const allowed = list.allows(dotted);
        for (const form of [
          `::ffff:${dotted}`,
          `::ffff:${hex}`,
          `0:0:0:0:0:FFFF:${hex}`,
          `0000::${hex}`,
          `::${dotted}`,
          `::ffff:0:${hex}`,
          `2002:${hex}::`,
          `2002:${hex}:1:2:3:4:5`,
          `64:ff9b::${hex}`,
          `0064:FF9B::${dotted}`,
        ]) {
          expect(list.allows(form), form).toBe(allowed);
        }
      }
    }),
  );
});

describe('as configured', () => {
  test('the whitelist excepts, in every form of the address', () => {
    const some = policy([], ['10.0.0.0/24', '::1']);
    for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '64:ff9b::10.0.0.7', '::1']) {
      expect(some.allows(address), address).toBe(true);
    }
    for (const address of ['10.0.1.7', '::ffff:10.0.1.7', '127.0.0.1', '::2']) {
      expect(some.allows(address), address).toBe(false);
    }
  });

  test('a blacklist replaces the usual one', () => {
    const some = policy(['1.2.3.0/24', '2a00::/16']);
    for (const address of ['1.2.3.4', '::ffff:1.2.3.4', '2002:102:304::', '2a00::1']) {
      expect(some.allows(address), address).toBe(false);
    }
    for (const address of ['10.0.0.1', '127.0.0.1', '::1', 'fe80::1']) {
      expect(some.allows(address), address).toBe(true);
    }
  });

  test('a blacklist in IPv4-mapped form means the IPv4 network', () => {
    expect(policy(['::ffff:1.2.3.0/120']).allows('1.2.3.4')).toBe(false);
    expect(policy(['::ffff:1.2.3.0/120']).allows('1.2.4.4')).toBe(true);
  });

  test('0.0.0.0 and :: are refused whatever the lists say', () => {
    for (const lists of [policy(['1.1.1.1']), policy([], ['0.0.0.0/0', '::/0'])]) {
      for (const address of ['0.0.0.0', '::', '::ffff:0.0.0.0', '2002::', '64:ff9b::']) {
        expect(lists.allows(address), address).toBe(false);
      }
    }
  });
});
