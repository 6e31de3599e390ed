import { expect, test } from 'vitest';
import { clientReader, type Oddity } from '../../src/listeners/http/client-address.ts';

const PROXIES = ['10.0.0.0/8', '::1', '192.0.2.7'];
type Networks = string[] | Oddity | 'none';

test.each<
  [boolean, string[], string | undefined, string | undefined, string | undefined, Networks]
>([
  // obey, proxies, socket, header → client, networks
  [false, [], '1.2.3.4', undefined, '1.2.3.4', ['1.2.3.4']],
  // Anybody can send the header: who does is limited all the same.
  [false, [], '1.2.3.4', '5.6.7.8', '1.2.3.4', ['1.2.3.4']],
  [false, [], '10.2.2.2', '5.6.7.8', '10.2.2.2', 'hidden-clients'],
  [false, [], '127.0.0.1', undefined, '127.0.0.1', 'hidden-clients'],
  [false, [], '::1', undefined, '::1', 'hidden-clients'],
  [false, [], '::ffff:192.168.0.1', undefined, '192.168.0.1', 'hidden-clients'],
  [true, [], '1.2.3.4', undefined, '1.2.3.4', ['1.2.3.4']],
  [true, [], '127.0.0.1', '5.6.7.8, 9.9.9.9', '9.9.9.9', ['9.9.9.9']],
  [true, [], '127.0.0.1', '5.6.7.8, 9.9.9.9, 10.0.0.1, 192.168.1.1', '9.9.9.9', ['9.9.9.9']],
  [true, [], '10.0.0.1', '203.0.113.9:4711', '203.0.113.9', ['203.0.113.9']],
  [true, [], '::1', ' 5.6.7.8:1234 ', '5.6.7.8', ['5.6.7.8']],
  [true, [], '127.0.0.1', '5.6.7.8, <script>', '127.0.0.1', 'none'],
  [true, [], '127.0.0.1', '10.1.1.1', '127.0.0.1', 'none'],
  [true, [], '127.0.0.1', undefined, '127.0.0.1', 'none'],
  // For the mail's text only: whoever connects can claim to be a proxy.
  [true, [], '1.2.3.4', '5.6.7.8, 9.9.9.9', '9.9.9.9', 'proxy-not-trusted'],
  [true, [], '1.2.3.4', 'nonsense', '1.2.3.4', 'proxy-not-trusted'],
  [true, [], '::ffff:1.2.3.4', undefined, '1.2.3.4', ['1.2.3.4']],
  [true, [], undefined, undefined, undefined, 'none'],
  [true, PROXIES, '1.2.3.4', '5.6.7.8', '1.2.3.4', ['1.2.3.4']],
  [true, PROXIES, '::ffff:10.1.1.1', '9.9.9.9, 5.6.7.8', '5.6.7.8', ['5.6.7.8']],
  [true, PROXIES, '10.1.1.1', '5.6.7.8, 192.0.2.7, 10.9.9.9', '5.6.7.8', ['5.6.7.8']],
  [true, PROXIES, '10.1.1.1', '10.2.2.2, 10.3.3.3', '10.2.2.2', ['10.2.2.2']],
  [true, PROXIES, '10.1.1.1', '9.9.9.9, nonsense', '10.1.1.1', ['10.1.1.1']],
  [true, PROXIES, '::1', '9.9.9.9', '9.9.9.9', ['9.9.9.9']],
])('obey %s, proxies %j: from %s with %j is %s, limited as %j', (...row) => {
  const [obeyXForwardedFor, trustedProxies, peer, header, address, expected] = row;
  const clientOf = clientReader({ obeyXForwardedFor, trustedProxies, trustedNetworks: [] });
  const client = clientOf({
    peer,
    headers: header === undefined ? {} : { 'x-forwarded-for': header },
  });
  expect(client.address).toBe(address);
  const networks = client.networks.map(({ name, size }) =>
    size === 1 ? name : `${name} ×${size}`,
  );
  expect(networks.length > 0 ? networks : (client.oddity ?? 'none')).toEqual(expected);
});

test.each(['x-forwarded-for', 'via', 'forwarded'])(
  'a public address that sends %s may be a proxy that nobody named',
  (header) => {
    const config = { obeyXForwardedFor: false, trustedProxies: [], trustedNetworks: [] };
    const client = clientReader(config)({ peer: '1.2.3.4', headers: { [header]: 'x' } });
    expect(client).toMatchObject({ oddity: 'proxy-not-obeyed', networks: [{ name: '1.2.3.4' }] });
  },
);

test('networks that are trusted are not limited, nor warned about', () => {
  const trustedNetworks = ['1.2.3.0/24', '10.0.0.5', '2001:db8::/32'];
  const config = { obeyXForwardedFor: false, trustedProxies: [], trustedNetworks };
  const clientOf = clientReader(config);
  for (const peer of ['1.2.3.4', '10.0.0.5', '2001:db8::1']) {
    expect(clientOf({ peer, headers: {} })).toMatchObject({ address: peer, networks: [] });
  }
});

test('of IPv6, a client counts in three networks, and the larger may do more', () => {
  const config = { obeyXForwardedFor: false, trustedProxies: [], trustedNetworks: [] };
  expect(clientReader(config)({ peer: '2001:db8:a:bcd:1::7', headers: {} }).networks).toEqual([
    { name: '2001:db8:a:bcd::/64', size: 1 },
    { name: '2001:db8:a:b00::/56', size: 4 },
    { name: '2001:db8:a::/48', size: 16 },
  ]);
});
