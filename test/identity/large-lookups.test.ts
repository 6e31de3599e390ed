import pino from 'pino';
import { expect, test } from 'vitest';
import { createLookup } from '../../src/identity/associations/lookup.ts';
import { createPeppersInForce } from '../../src/identity/peppers/peppers-in-force.ts';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import { SERVER_NAME, TestClock } from '../support/server.ts';

test('of large lookups two are under way, small ones wait for none, and one that fails gives its place on', async () => {
  const clock = new TestClock();
  const storage = await openStorage(
    { engine: 'sqlite', file: ':memory:', backup: false, exclusive: false },
    {
      logger: pino({ level: 'silent' }),
      clock,
      random: secureRandom,
      serverName: SERVER_NAME,
      pidFile: '',
    },
  );
  const gate = Promise.withResolvers<void>();
  const asked: (string | undefined)[] = [];
  const { lookups } = storage.stores;
  const held = {
    ...lookups,
    async byHashes(...args: Parameters<typeof lookups.byHashes>) {
      const [hashes] = args;
      asked.push(hashes[0]);
      if (!hashes[0]?.startsWith('small')) await gate.promise;
      if (hashes[0] === 'broken 0') throw new Error('broken');
      return lookups.byHashes(...args);
    },
  };
  const lookup = createLookup({
    storage: { ...storage, stores: { ...storage.stores, lookups: held } },
    clock,
    keys: createServerKeys(SERVER_NAME, {
      signingKey: { version: '0', seed: secureRandom.bytes(32) },
      oldKeys: [],
      oldSigningKeys: [],
    }),
    peppers: createPeppersInForce({ storage, clock, inForce: () => {} }),
    limits: { admit: async () => {} },
    addressLimit: 10_000,
    allowNone: true,
  });
  const find = (name: string, count: number) =>
    lookup.findMapped(
      {
        addresses: Array.from({ length: count }, (_, i) => `${name} ${i}`),
        algorithm: 'sha256',
        pepper: storage.pepper,
      },
      { version: 'v2', user: '@ada:sample.test', address: '', networks: [] },
    );

  const broken = find('broken', 1001);
  const large = ['first', 'second', 'third'].map((name) => find(name, 1001));
  expect(await find('small', 1000)).toEqual(new Map());
  expect(asked.filter((name) => name?.endsWith(' 0'))).toEqual(['broken 0', 'first 0', 'small 0']);
  gate.resolve();
  await expect(broken).rejects.toThrow('broken');
  expect(await Promise.all(large)).toEqual([new Map(), new Map(), new Map()]);
  expect(asked).toContain('third 1000');
  await storage.close();
});
