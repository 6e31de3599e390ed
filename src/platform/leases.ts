import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** A claim on work that others on the same database could do as well; it lapses unless it is renewed. */
export interface Lease {
  /** Whose it is. */
  readonly holder: string;
  readonly now: number;
  /** When it lapses. */
  readonly until: number;
}

/** How this process claims work. */
export interface Leases {
  /** This process, by a name that no other has. */
  readonly holder: string;
  /** A claim of this process for so many milliseconds from now on. */
  lease(duration: number): Lease;
  /** A claim on what others in this process could do, too: its holder has no other. */
  leaseOfOne(duration: number): Lease;
}

export function createLeases({
  clock,
  random,
}: {
  readonly clock: Clock;
  readonly random: Random;
}): Leases {
  const holder = random.alphanumeric(16);
  const leaseOf = (whose: string, duration: number): Lease => {
    const now = clock.now();
    return { holder: whose, now, until: now + duration };
  };
  return {
    holder,
    lease: (duration) => leaseOf(holder, duration),
    leaseOfOne: (duration) => leaseOf(`${holder} ${random.alphanumeric(16)}`, duration),
  };
}
