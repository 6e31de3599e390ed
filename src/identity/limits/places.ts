/** A place that somebody has, or waits for. */
export interface Place {
  /** Whether it came about: false where there was none in time, or too many wait. */
  readonly turn: Promise<boolean>;
  /** Whether it was free at once. */
  readonly isFree: boolean;
  /** Gives it up, had or not. */
  leave(): void;
}

/** Places of many owners. */
export interface Places {
  /** @param most so many of this owner's are taken at a time; who comes then waits, first come, first served. */
  enter(owner: string, most: number): Place;
}

interface Line {
  inside: number;
  readonly waiting: Set<() => void>;
}

export function createPlaces(rules: {
  /** Milliseconds that somebody waits. */
  readonly patience: number;
  /** So many wait for places of one owner, and so many in all. */
  readonly waiting: { readonly each: number; readonly all: number };
}): Places {
  const lines = new Map<string, Line>();
  let waiting = 0;

  return {
    enter(owner, most) {
      const line: Line = lines.get(owner) ?? { inside: 0, waiting: new Set() };
      lines.set(owner, line);
      const { promise: turn, resolve } = Promise.withResolvers<boolean>();
      let isInside = false;
      const forgetEmpty = () => {
        if (line.inside === 0 && line.waiting.size === 0) lines.delete(owner);
      };
      const stopWaiting = () => {
        if (!line.waiting.delete(come)) return;
        waiting--;
        clearTimeout(timer);
      };
      const come = () => {
        stopWaiting();
        line.inside++;
        isInside = true;
        resolve(true);
      };
      const giveUp = () => {
        stopWaiting();
        forgetEmpty();
        resolve(false);
      };
      let timer: NodeJS.Timeout | undefined;
      const isFree = line.inside < most;
      if (isFree) come();
      else if (line.waiting.size >= rules.waiting.each || waiting >= rules.waiting.all) giveUp();
      else {
        timer = setTimeout(giveUp, rules.patience);
        line.waiting.add(come);
        waiting++;
      }
      return {
        turn,
        isFree,
        leave() {
          stopWaiting();
          if (isInside) {
            isInside = false;
            line.inside--;
            const [next] = line.waiting;
            next?.();
          }
          forgetEmpty();
        },
      };
    },
  };
}
