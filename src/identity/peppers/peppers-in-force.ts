import type { LookupPeppers } from '../../model/lookup-peppers.ts';
import { type Clock, stopwatch } from '../../platform/clock.ts';
import type { Storage } from '../../storage/stores/index.ts';

/** A pepper that lookups may name. */
export interface UsablePepper {
  readonly number: number;
  readonly pepper: string;
}

/** What lookups may name now, as all processes on the database see it, a second later at most. */
export interface PeppersInForce {
  /** The one to be named first, then those that still work. */
  all(): Promise<readonly [UsablePepper, ...UsablePepper[]]>;
  /** The number of a pepper that is named; undefined when it is none of them. */
  numberOf(pepper: string): Promise<number | undefined>;
}

export interface PeppersInForceDependencies {
  readonly storage: Storage;
  readonly clock: Clock;
  /** Called with the pepper that is to be named: when that is known, and when it is another than before. */
  readonly inForce: (pepper: string) => void;
}

/** Milliseconds after which the database is asked again. */
const KNOWN_FOR = 1000;

export function createPeppersInForce(deps: PeppersInForceDependencies): PeppersInForce {
  const { storage, clock, inForce } = deps;
  let known: LookupPeppers | undefined;
  let age = stopwatch();
  let reading: Promise<LookupPeppers> | undefined;

  async function read(): Promise<LookupPeppers> {
    const elapsed = stopwatch();
    const peppers = await storage.stores.peppers.read();
    const before = known?.current.number;
    // Of two that were asked at once the later one may be answered first; numbers only grow.
    if (before !== undefined && peppers.current.number < before) return peppers;
    known = peppers;
    age = elapsed;
    if (peppers.current.number !== before) inForce(peppers.current.pepper ?? storage.pepper);
    return peppers;
  }

  async function recent(): Promise<LookupPeppers> {
    if (known !== undefined && age() < KNOWN_FOR) return known;
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  const usable = ({ current, former }: LookupPeppers): [UsablePepper, ...UsablePepper[]] => {
    const pepperOf = ({ number, pepper = storage.pepper }: LookupPeppers['current']) => ({
      number,
      pepper,
    });
    const now = clock.now();
    return [pepperOf(current), ...former.filter(({ until }) => until > now).map(pepperOf)];
  };

  const numberIn = (peppers: LookupPeppers, named: string) =>
    usable(peppers).find(({ pepper }) => pepper === named)?.number;

  return {
    all: async () => usable(await recent()),
    // One that another process announces since a moment may be asked for here.
    numberOf: async (pepper) => numberIn(await recent(), pepper) ?? numberIn(await read(), pepper),
  };
}
