import { describe, expect, test } from 'vitest';
import { registrableDomain } from '../../src/platform/registrable-domain.ts';

const keys = (names: readonly string[]) => new Set(names.map(registrableDomain));

describe('one homeserver for limits are', () => {
  test('all names under a registered domain, whatever the port, case and dots at the end', () => {
    const names = ['sample.co.uk', 'matrix.sample.co.uk', 'a.b.c.SAMPLE.co.uk', 'x.sample.co.uk.'];
    expect(keys([...names, ...names.map((name) => `${name}:8448`)])).toEqual(
      new Set(['sample.co.uk']),
    );
  });

  test('both spellings of a domain beyond ASCII', () => {
    expect(keys(['straße.example', 'XN--STRAE-OQA.example', 'hs.xn--strae-oqa.example:1'])).toEqual(
      new Set(['xn--strae-oqa.example']),
    );
    expect(keys(['a.公司.cn', 'b.a.xn--55qx5d.cn'])).toEqual(new Set(['a.xn--55qx5d.cn']));
  });

  test('all spellings of an IPv4 address', () => {
    const spellings = ['192.0.2.7', '192.0.2.7:8448', '192.0.2.7.', '0xc0000207', '3221225991'];
    expect(keys([...spellings, '192.0.519', '[::ffff:192.0.2.7]', '[::ffff:c000:207]:1'])).toEqual(
      new Set(['192.0.2.7']),
    );
  });

  test('all addresses of an IPv6 network of /64', () => {
    expect(keys(['[2001:db8::1]', '[2001:DB8:0:0:ffff::]:8448', '[2001:db8::192.0.2.7]'])).toEqual(
      new Set(['2001:db8:0:0::/64']),
    );
  });
});

describe('two homeservers for limits are', () => {
  test('those under different domains, and the customers of who rents out names', () => {
    const names = ['sample.co.uk', 'other.co.uk', 'a.github.io', 'b.github.io', 'github.io'];
    expect(keys(names)).toEqual(new Set(names));
  });

  test('those at different addresses', () => {
    const names = ['192.0.2.7', '192.0.2.8', '[2001:db8::1]', '[2001:db8:0:1::1]'];
    expect(keys(names).size).toBe(names.length);
  });

  test('those with names of a network of their own', () => {
    expect(keys(['localhost', 'matrix', 'hs.home.arpa', 'my_server.local']).size).toBe(4);
  });
});

test('what could be no homeserver at all counts as one', () => {
  const odd = [
    '',
    '.',
    '...',
    ':8448',
    'a b',
    '[',
    '[]',
    '[::1',
    'a:b:c',
    '[x]',
    '[:::::::::]',
    '[1.2]',
    '[1::2:3:4:5:6:7:8:9]',
    '\ud800',
    '%',
  ];
  expect(keys([...odd, 'x'.repeat(100_000), `${'a.'.repeat(50_000)}com`])).toEqual(
    new Set(['invalid']),
  );
  for (const name of ['a..b', '.com', 'com', 'co.uk', '-', '_']) {
    expect(registrableDomain(name)).not.toBe('');
  }
});
