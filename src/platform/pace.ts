import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** Lets what is left out take as long as what is done, so that its time tells nobody. */
export interface Pace {
  /** Does it, and remembers how long that took. */
  measured(work: () => Promise<void>): Promise<void>;
  /**
   * Takes as long as one of the last took that went well; or as one may well take, before there was any.
   * @param part what is done of it all the same; when it fails, so does this, at once
   */
  imitate(part: () => Promise<void>): Promise<void>;
}

const REMEMBERED = 32;
/** Milliseconds that a mail may well take, for as long as nothing is remembered. */
const SUPPOSED = 200;

export function createPace(clock: Clock, random: Random): Pace {
  const took: number[] = [];
  return {
    async measured(work) {
      const begun = clock.monotonic();
      await work();
      took.push(clock.monotonic() - begun);
      if (took.length > REMEMBERED) took.shift();
    },
    async imitate(part) {
      const time = took[Math.floor(random.fraction() * took.length)] ?? SUPPOSED;
      await Promise.all([wait(time), part()]);
    },
  };
}
