import pino from 'pino';
import { expect, test } from 'vitest';
import { createAskedAddresses } from '../../src/identity/limits/asked-addresses.ts';
import { createLimits } from '../../src/identity/limits/limits.ts';
import { createLookupLimits } from '../../src/identity/limits/lookup-limits.ts';
import { createBuckets } from '../../src/platform/buckets.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { TestClock } from '../support/server.ts';

const clock = new TestClock();
const logger = pino({ level: 'silent' });
const setting = { burst: 100, rateHz: 1e-6, refuses: true, keys: '' };
const ADA = { version: 'v2', user: '@ada:hs.test', address: '192.0.2.1', networks: [] } as const;
const addresses = (count: number, name: string) =>
  Array.from({ length: count }, (_, i) => `${name}${i}`);

test.each(['lookup.account', 'lookup.homeserver'] as const)(
  'a new pepper, under which all is asked anew, gives the whole allowance of %s back',
  async (limit) => {
    const limits = createLookupLimits({
      limits: createLimits({
        settings: { [limit]: setting },
        buckets: createBuckets(clock),
        clock,
        logger,
        onExceeded: () => {},
      }),
      asked: createAskedAddresses({ clock, random: secureRandom }),
      pepper: 'first',
      homeserverAccounts: { of: () => 3, count: async () => {}, stop: () => {} },
      trustedHomeservers: [],
    });
    await limits.admit(ADA, addresses(100, 'before'));
    await expect(limits.admit(ADA, addresses(100, 'after'))).rejects.toThrow(limit);
    limits.pepperChanged('second');
    await limits.admit(ADA, addresses(100, 'after'));
    await expect(limits.admit(ADA, ['another'])).rejects.toThrow(limit);
    await limits.admit(ADA, addresses(100, 'before'));
  },
);
