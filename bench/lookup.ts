/**
 * How the time of lookups grows with the number of associations: the same lookups on a database with few
 * and on one with many, in one run. `npm run bench`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pino from 'pino';
import { lookupHash } from '../src/identity/hashing.ts';
import { createLookup } from '../src/identity/lookup.ts';
import { createServerKeys } from '../src/identity/server-keys.ts';
import { newAssociation } from '../src/identity/signed-association.ts';
import { systemClock } from '../src/platform/clock.ts';
import { secureRandom } from '../src/platform/random.ts';
import { openStorage } from '../src/storage/storage.ts';

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
const say = (text: string) => process.stdout.write(`${text}\n`);

async function fill(storage: Awaited<ReturnType<typeof openStorage>>, count: number) {
  const now = systemClock.now();
  for (let from = 0; from < count; from += 5_000) {
    await storage.transaction(async ({ associations }) => {
      for (let i = from; i < Math.min(count, from + 5_000); i++) {
        const threepid = { medium: 'email', address: address(i) };
        const association = newAssociation(threepid, `@user${i}:sample.test`, { ts: now, now });
        const hash = lookupHash(threepid.address, 'email', storage.pepper);
        await associations.insertGlobal(
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

/** Microseconds each, the best of three rounds. */
async function time(rounds: number, each: number, work: () => Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = process.hrtime.bigint();
    await work();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1000 / each);
  }
  return best;
}

async function measure(count: number): Promise<{ single: number; bulk: number }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-bench-'));
  const storage = await openStorage(
    { engine: 'sqlite', file: path.join(folder, 'bench.db'), backup: false, exclusive: false },
    {
      logger: pino({ level: 'silent' }),
      clock: systemClock,
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    },
  );
  await fill(storage, count);
  const lookup = createLookup({
    storage,
    keys,
    clock: systemClock,
    addressLimit: BULK,
    allowNone: true,
  });
  const single = await time(3, LOOKUPS, async () => {
    for (let i = 0; i < LOOKUPS; i++) await lookup.find('email', address((i * 7919) % count));
  });
  const many = Array.from(
    { length: BULK },
    (_, i) => ['email', address((i * 7919) % count)] as const,
  );
  const bulk = await time(3, BULK, async () => {
    await lookup.findMany(many);
  });
  await storage.close();
  await rm(folder, { recursive: true });
  say(
    `${count} associations: ${single.toFixed(1)} µs a lookup, ${bulk.toFixed(1)} µs an address in bulk`,
  );
  return { single, bulk };
}

const few = await measure(FEW);
const many = await measure(MANY);
say(
  `ratio of many to few: ${(many.single / few.single).toFixed(2)} single, ${(many.bulk / few.bulk).toFixed(2)} bulk`,
);
