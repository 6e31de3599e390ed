import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createNetworkList, ipv6Parts, mappedIpv4 } from '../../src/platform/ip-addresses.ts';

test.each([
  [['10.0.0.0/8'], '10.1.2.3', true],
  [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
  [['10.0.0.0/8'], '::FFFF:a01:203', true],
  [['10.0.0.0/8'], '11.1.2.3', false],
  [['192.0.2.7'], '192.0.2.7', true],
  [['192.0.2.7'], '192.0.2.8', false],
  [['::ffff:192.0.2.0/120'], '192.0.2.9', true],
  [['::ffff:192.0.2.0/120'], '192.0.3.9', false],
  [['::ffff:192.0.2.7'], '192.0.2.7', true],
  [['::ffff:0:0/95'], '::fffe:1.2.3.4', true],
  [['2001:db8::/32'], '2001:0DB8:1::', true],
  [['2001:db8::/32'], '2001:db9::', false],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['::/0'], '192.0.2.1', true],
  [['::10.0.0.0/104'], '10.0.0.1', false],
  [['::10.0.0.0/104'], '::10.1.2.3', true],
  [['10.0.0.0/8'], '::10.0.0.1', false],
  [['::16.0.192.169/96'], '192.0.2.1', false],
  [[], '192.0.2.1', false],
])('%j contains %s: %s', (networks, address, expected) => {
  expect(createNetworkList(networks).contains(address)).toBe(expected);
});

test('every address of a network is in it, and no other, however it is spelt', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }), (base, other, prefix) => {
      const bits = (address: string) =>
        ipv6Parts(address)
          .map((part) => part.toString(2).padStart(16, '0'))
          .join('');
      const isIn = bits(base).slice(0, prefix) === bits(other).slice(0, prefix);
      // What is IPv4-mapped is a matter of its own: see above.
      fc.pre(mappedIpv4(base) === undefined && mappedIpv4(other) === undefined);
      expect(createNetworkList([`${base}/${prefix}`]).contains(other)).toBe(isIn);
    }),
  );
});

test('the parts of an IPv6 address are the same in every spelling, and leave its zone out', () => {
  const parts = [0xfe80, 0, 0, 0, 0, 0, 0xc000, 0x207];
  for (const spelt of ['fe80::c000:207', 'FE80:0:0:0:0:0:192.0.2.7', 'fe80::192.0.2.7%eth0']) {
    expect(isIP(spelt)).toBe(6);
    expect(ipv6Parts(spelt)).toEqual(parts);
  }
});
