/** Lets so many in at a time and so many wait, first come, first served. */
export interface Gate {
  /**
   * Runs the work when there is a place.
   * @throws GateFullError at once when too many wait already; the signal's reason when it aborts first.
   */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Whether nobody is inside. */
  readonly empty: boolean;
}

export class GateFullError extends Error {
  override readonly name = 'GateFullError';
}

export interface GateLimits {
  readonly places: number;
  readonly waiting: number;
}

export function createGate(limits: GateLimits): Gate {
  const waiting = new Set<() => void>();
  let inside = 0;

  function enter(signal: AbortSignal): Promise<void> | undefined {
    signal.throwIfAborted();
    if (inside < limits.places) {
      inside++;
      return undefined;
    }
    if (waiting.size >= limits.waiting) throw new GateFullError('Too many are waiting');
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        waiting.delete(admit);
        reject(signal.reason);
      };
      waiting.add(admit);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      inside--;
      return;
    }
    // The place goes from hand to hand, so that nobody slips in between.
    waiting.delete(next);
    next();
  }

  return {
    async run(signal, work) {
      await enter(signal);
      try {
        return await work();
      } finally {
        leave();
      }
    },
    get empty() {
      return inside === 0;
    },
  };
}

/** A gate for each key, there for as long as somebody uses it. */
export function createGates(limits: GateLimits) {
  const gates = new Map<string, Gate>();
  return async <T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const gate = gates.get(key) ?? createGate(limits);
    gates.set(key, gate);
    try {
      return await gate.run(signal, work);
    } finally {
      if (gate.empty && gates.get(key) === gate) gates.delete(key);
    }
  };
}
