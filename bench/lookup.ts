/**
 * How the time of lookups grows with the number of associations, and with the limits: the same lookups on a database
 * with few and on one with many, in one run. `npm run bench`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pino from 'pino';
import { createLookup, type Lookup } from '../src/identity/associations/lookup.ts';
import { newAssociation } from '../src/identity/associations/signed-association.ts';
import { createAskedAddresses } from '../src/identity/limits/asked-addresses.ts';
import { createHomeserverAccounts } from '../src/identity/limits/homeserver-accounts.ts';
import { createLimits } from '../src/identity/limits/limits.ts';
import { createLookupLimits, type LookupLimits } from '../src/identity/limits/lookup-limits.ts';
import { createServerKeys } from '../src/identity/server-keys.ts';
import { lookupHash } from '../src/model/lookup-hash.ts';
import { systemClock } from '../src/platform/clock.ts';
import { secureRandom } from '../src/platform/random.ts';
import { openStorage } from '../src/storage/open.ts';
import type { Storage } from '../src/storage/stores/index.ts';

const FEW = 1_000;
const MANY = 100_000;
const LOOKUPS = 20_000;
const BULK = 10_000;

const keys = createServerKeys('id.test', {
  signingKey: { version: '0', seed: secureRandom.bytes(32) },
  oldKeys: [],
  oldSigningKeys: [],
});
const address = (number: number) => `user${number}@sample.test`;
const silent = pino({ level: 'silent' });
const say = (text: string) => process.stdout.write(`${text}\n`);

async function fill(storage: Storage, count: number) {
  const now = systemClock.now();
  for (let from = 0; from < count; from += 5_000) {
    await storage.transaction(async ({ associations }) => {
      for (let i = from; i < Math.min(count, from + 5_000); i++) {
        const threepid = { medium: 'email', address: address(i) };
        const association = newAssociation(threepid, `@user${i}:sample.test`, { ts: now, now });
        const hash = lookupHash(threepid.address, 'email', storage.pepper);
        await associations.publish(
          {
            ...threepid,
            mxid: association.mxid,
            ts: now,
            notBefore: association.not_before,
            notAfter: association.not_after,
            originServer: 'id.test',
            originId: i,
            signedJson: JSON.stringify(keys.sign(association)),
            lookupHash: hash,
          },
          [{ spelling: threepid.address, lookupHash: hash }],
        );
      }
    });
  }
}

/** Microseconds of processor time each of several kinds of work takes, the best of the rounds. */
async function timeAll(
  rounds: number,
  each: number,
  works: readonly (() => Promise<void>)[],
): Promise<number[]> {
  const best = works.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) {
      const start = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(start);
      const taken = (user + system) / each;
      best[index] = Math.min(best[index] ?? taken, taken);
    }
  }
  return best;
}

const time = async (rounds: number, each: number, work: () => Promise<void>) =>
  (await timeAll(rounds, each, [work]))[0] ?? Number.NaN;

const networks = [{ name: '192.0.2.1', size: 1 }];
const ada = { version: 'v2', user: '@ada:hs.test', address: '192.0.2.1', networks } as const;

/** The limits as they are where nothing is configured. */
function limitsOn(storage: Storage) {
  const setting = (burst: number, rateHz: number) => ({ burst, rateHz, refuses: false, keys: '' });
  const deps = { storage, clock: systemClock, random: secureRandom };
  return createLookupLimits({
    limits: createLimits({
      settings: {
        'lookup.account': setting(50_000, 0.25),
        'lookup.network': setting(200_000, 2),
        'lookup.homeserver': setting(500_000, 5),
      },
      clock: systemClock,
      logger: silent,
      onExceeded: () => {},
    }),
    asked: createAskedAddresses(deps),
    homeserverAccounts: createHomeserverAccounts(deps),
    trustedHomeservers: [],
  });
}

async function measure(count: number): Promise<{ single: number; bulk: number }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-bench-'));
  const storage = await openStorage(
    { engine: 'sqlite', file: path.join(folder, 'bench.db'), backup: false, exclusive: false },
    {
      logger: silent,
      clock: systemClock,
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    },
  );
  await fill(storage, count);
  const withLimits = (limits: Pick<LookupLimits, 'admit'>) =>
    createLookup({
      storage,
      keys,
      clock: systemClock,
      limits,
      addressLimit: BULK,
      allowNone: true,
    });
  const lookup = withLimits({ admit: async () => {} });
  const single = await time(3, LOOKUPS, async () => {
    for (let i = 0; i < LOOKUPS; i++) await lookup.find('email', address((i * 7919) % count), ada);
  });
  const many = Array.from(
    { length: BULK },
    (_, i) => ['email', address((i * 7919) % count)] as const,
  );
  const bulk = await time(3, BULK, async () => {
    await lookup.findMany(many, ada);
  });
  const { pepper } = storage;
  const addresses = many.map(([medium, text]) => lookupHash(text, medium, pepper));
  const query = { addresses, algorithm: 'sha256', pepper };
  const ask = async (of: Lookup) => {
    await of.findMapped(query, ada);
  };
  const limited = withLimits(limitsOn(storage));
  // In turns, so that whatever else the machine does holds up all alike.
  const [free, first, again] = await timeAll(30, BULK, [
    () => ask(lookup),
    () => ask(withLimits(limitsOn(storage))),
    () => ask(limited),
  ]);
  await storage.close();
  await rm(folder, { recursive: true });
  say(
    `${count} associations: ${single.toFixed(1)} µs a lookup, ${bulk.toFixed(1)} µs an address in bulk`,
  );
  const more = (limited = 0) => `${((limited / (free ?? 0) - 1) * 100).toFixed(0)} % more`;
  say(
    `${count} associations, hashed: ${free?.toFixed(1)} µs an address; with limits ${more(first)} when they are new, ${more(again)} when they were asked before`,
  );
  return { single, bulk };
}

const few = await measure(FEW);
const many = await measure(MANY);
say(
  `ratio of many to few: ${(many.single / few.single).toFixed(2)} single, ${(many.bulk / few.bulk).toFixed(2)} bulk`,
);
