import type { Config } from '../config/config.ts';
import {
  beginRotation,
  completeRotation,
  MOST_FORMER,
  noteSince,
  retireFormer,
} from '../identity/peppers/rotation.ts';
import { isClaimed, workOn } from '../identity/peppers/rotation-work.ts';
import type { LookupPeppers } from '../model/lookup-peppers.ts';
import { systemClock } from '../platform/clock.ts';
import type { Infrastructure } from './infrastructure.ts';
import { createRehashing } from './rehashing.ts';

/** Rotates the pepper of lookups when it is time, and does what a rotation that somebody else began needs. */
export interface PepperRotation {
  /** To be called again and again: a step, which is over soon. */
  step(): Promise<void>;
  stop(): Promise<void>;
}

export function createPepperRotation(
  { db, lookupPepper }: Pick<Config, 'db' | 'lookupPepper'>,
  { storage, clock, random, logger, metrics, leases }: Infrastructure,
): PepperRotation {
  const { rotationInterval, grace } = lookupPepper;
  const { peppers, state } = storage.stores;
  const isInMemory = db.engine === 'sqlite' && db.file === ':memory:';
  // In a thread, with a connection of its own: those who are answered meanwhile do not wait for it.
  const rehashing = createRehashing(db, { storage, random, logger });

  async function beginWhenDue({ current, next, former }: LookupPeppers): Promise<void> {
    // Its pepper ends with the process.
    if (rotationInterval === 0 || isInMemory || next !== undefined || former.length >= MOST_FORMER)
      return;
    if (current.since === undefined) return noteSince(storage, clock);
    if (clock.now() < current.since + rotationInterval) return;
    const { outcome } = await beginRotation(storage, { clock, random });
    if (outcome === 'begun') logger.info('Rotating the pepper of lookups: it has its age');
  }

  async function work(): Promise<number> {
    const { next, gone } = await peppers.read();
    if (next === undefined) {
      if (gone.length > 0) rehashing.start();
      return 0;
    }
    const known = await workOn(state, next.number);
    if (known?.isDone) {
      const rotated = await completeRotation(storage, clock, grace);
      const until = rotated?.former[0]?.until;
      if (until !== undefined) {
        const ends = new Date(until).toISOString();
        logger.info(
          { ends },
          `A new pepper of lookups is in force; the one before it works until ${ends}`,
        );
      }
      return 0;
    }
    const lease = { ...leases.lease(0), now: systemClock.now() };
    if (!isClaimed(known, lease)) rehashing.start();
    return (known?.percent ?? 0) / 100;
  }

  return {
    async step() {
      const ended = await retireFormer(storage, clock);
      if (ended > 0) logger.info('A former pepper of lookups has ended');
      await beginWhenDue(await peppers.read());
      const progress = await work();
      const { current, next, former } = await peppers.read();
      metrics.pepperRotation({
        isUnderWay: next !== undefined,
        progress,
        former: former.length,
        age: current.since === undefined ? 0 : (clock.now() - current.since) / 1000,
      });
    },
    stop: rehashing.stop,
  };
}
