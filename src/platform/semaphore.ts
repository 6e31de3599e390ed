/** Asking for a place: it is had, waited for, or there is none. */
export interface Ticket {
  /**
   * Whether a place came about: false where there was none in time, or too many wait. Of who left by then
   * nothing comes.
   */
  readonly turn: Promise<boolean>;
  /** Whether there was a place at once. */
  readonly isFree: boolean;
  /**
   * Gives it up, had or not; nothing happens the second time.
   * @param handOn whether the place goes to who waits for one
   */
  leave(handOn?: boolean): void;
}

/** Places of many keys, such as hosts; who waits for one gets it in the order of their coming. */
export interface Semaphore {
  /**
   * @param places so many of this key are taken at a time
   * @param signal ends the wait
   */
  enter(key: string, places: number, signal?: AbortSignal): Ticket;
  /** How many have a place, in all. */
  readonly inside: number;
  /** How many wait, in all. */
  readonly waiting: number;
}

export interface SemaphoreRules {
  /** So many wait for places of one key, and so many in all. */
  readonly waiting: { readonly each: number; readonly all?: number };
  /** Milliseconds that somebody waits; undefined: until they leave. */
  readonly patience?: number;
  /** Whether somebody who waits can be let in now, whatever the key. */
  readonly hasRoom?: () => boolean;
}

/** One key's line, there for as long as somebody is in it. */
interface Line {
  places: number;
  inside: number;
  /** Each lets one in. */
  readonly waiting: Set<() => void>;
}

/** Lets only so many do something at a time. */
export function createSemaphore(rules: SemaphoreRules): Semaphore {
  const { each, all = Number.POSITIVE_INFINITY } = rules.waiting;
  const { patience, hasRoom = () => true } = rules;
  const lines = new Map<string, Line>();
  let inside = 0;
  let waiting = 0;

  function lineOf(key: string, places: number): Line {
    const line = lines.get(key) ?? { places, inside: 0, waiting: new Set() };
    line.places = places;
    lines.set(key, line);
    return line;
  }

  function letIn(line: Line): void {
    for (const enter of line.waiting) {
      if (line.inside >= line.places || !hasRoom()) return;
      enter();
    }
  }

  return {
    enter(key, places, signal) {
      const line = lineOf(key, places);
      const { promise: turn, resolve } = Promise.withResolvers<boolean>();
      let timer: NodeJS.Timeout | undefined;
      let isInside = false;
      const stopWaiting = () => {
        if (!line.waiting.delete(come)) return;
        waiting--;
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
      };
      const come = () => {
        stopWaiting();
        line.inside++;
        inside++;
        isInside = true;
        resolve(true);
      };
      const leave = (handOn = true) => {
        stopWaiting();
        if (isInside) {
          isInside = false;
          line.inside--;
          inside--;
          if (handOn) letIn(line);
        }
        if (line.inside === 0 && line.waiting.size === 0 && lines.get(key) === line) {
          lines.delete(key);
        }
      };
      const giveUp = () => {
        leave();
        resolve(false);
      };
      const isFree = line.inside < places && !signal?.aborted;
      if (isFree) come();
      else if (line.waiting.size >= each || waiting >= all || signal?.aborted) giveUp();
      else {
        line.waiting.add(come);
        waiting++;
        if (patience !== undefined) timer = setTimeout(giveUp, patience);
        signal?.addEventListener('abort', giveUp);
      }
      return { turn, isFree, leave };
    },
    get inside() {
      return inside;
    },
    get waiting() {
      return waiting;
    },
  };
}
