/** Lets so many in at a time, in the order of their coming. */
export interface Gate {
  /** Rejects with the signal's reason when that aborts first. */
  enter(signal: AbortSignal): Promise<void>;
  leave(): void;
}

export function createGate(places: number): Gate {
  // In the order of their coming: a Set iterates in the order of insertion.
  const waiting = new Set<() => void>();
  let free = places;
  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return;
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const giveUp = () => {
        waiting.delete(resolve);
        reject(signal.reason);
      };
      waiting.add(resolve);
      signal.addEventListener('abort', giveUp);
      await promise.finally(() => signal.removeEventListener('abort', giveUp));
    },
    leave() {
      const [next] = waiting;
      if (next === undefined) {
        free++;
        return;
      }
      // The place is handed on: nobody who comes meanwhile takes it.
      waiting.delete(next);
      next();
    },
  };
}
