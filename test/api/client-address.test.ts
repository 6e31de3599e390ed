import { expect, test } from 'vitest';
import { clientAddressReader } from '../../src/listeners/frame/client-address.ts';

const PROXIES = ['10.0.0.0/8', '::1', '192.0.2.7'];

test.each<[boolean, string[], string | undefined, string | undefined, string | undefined]>([
  // obey, proxies, socket, header → client
  [false, [], '1.2.3.4', '5.6.7.8', '1.2.3.4'],
  [true, [], '1.2.3.4', undefined, '1.2.3.4'],
  [true, [], '1.2.3.4', '5.6.7.8, 9.9.9.9', '5.6.7.8'],
  [true, [], '1.2.3.4', ' [2001:db8::1]:443 ', '2001:db8::1'],
  [true, [], '1.2.3.4', '5.6.7.8:1234', '5.6.7.8'],
  [true, [], '1.2.3.4', '<script>, 5.6.7.8', '1.2.3.4'],
  [true, [], '::ffff:1.2.3.4', undefined, '1.2.3.4'],
  [true, [], undefined, undefined, undefined],
  [true, PROXIES, '1.2.3.4', '5.6.7.8', '1.2.3.4'],
  [true, PROXIES, '::ffff:10.1.1.1', '9.9.9.9, 5.6.7.8', '5.6.7.8'],
  [true, PROXIES, '10.1.1.1', '5.6.7.8, 192.0.2.7, 10.9.9.9', '5.6.7.8'],
  [true, PROXIES, '10.1.1.1', '10.2.2.2, 10.3.3.3', '10.2.2.2'],
  [true, PROXIES, '10.1.1.1', '9.9.9.9, nonsense', '10.1.1.1'],
  [true, PROXIES, '::1', '9.9.9.9', '9.9.9.9'],
])(
  'obey %s, proxies %j: from %s with %j is %s',
  (obeyXForwardedFor, trustedProxies, socket, header, client) => {
    expect(clientAddressReader({ obeyXForwardedFor, trustedProxies })(socket, header)).toBe(client);
  },
);
