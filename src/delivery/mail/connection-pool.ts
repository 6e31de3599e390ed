/** Takes what waited for a connection: one that is free, undefined to open another, or why there is none. */
interface Waiting<T> {
  readonly take: (connection: T | undefined) => void;
  readonly fail: (error: unknown) => void;
}

/** Connections to a relay, which may take fewer than are wanted. */
export interface ConnectionPool<T> {
  /**
   * A connection that is free, else a new one. Where the relay takes no further one while others of ours are open, it
   * waits for one of these.
   * @param fresh none that was used before, where a new one is to be had
   */
  take(signal: AbortSignal, fresh: boolean): Promise<{ connection: T; isOld: boolean }>;
  /** Gives back one that is good for more. */
  giveBack(connection: T): void;
  /** One has come to its end, kept or in use. */
  ended(connection: T): void;
  /** Takes those out that are free; none is kept after. */
  close(): T[];
}

/** Milliseconds in which a relay may still count a connection that has ended. */
const SETTLING = 1000;

/**
 * A pool without any connection.
 * @param open opens one
 * @param mayHelp whether waiting for another may help against that failure
 * @param retire ends one that is not kept, as the pool is closed
 */
export function createConnectionPool<T>({
  open,
  mayHelp,
  retire,
}: {
  readonly open: (signal: AbortSignal) => Promise<T>;
  readonly mayHelp: (error: unknown) => boolean;
  readonly retire: (connection: T) => void;
}): ConnectionPool<T> {
  const kept: T[] = [];
  const alive = new Set<T>();
  const waiting: Waiting<T>[] = [];
  let opening = 0;
  let settling = 0;
  let isClosed = false;

  const isHopeless = () => alive.size + opening + settling === 0;

  /** Lets the first of those who wait try to open one. */
  const tryAnother = () => waiting.shift()?.take(undefined);

  async function openOne(signal: AbortSignal): Promise<T> {
    opening++;
    try {
      const connection = await open(signal);
      alive.add(connection);
      return connection;
    } finally {
      opening--;
    }
  }

  /** A connection, or undefined when another may be opened. */
  function wait(signal: AbortSignal, place: 'push' | 'unshift'): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        signal.removeEventListener('abort', aborted);
        const at = waiting.indexOf(one);
        if (at >= 0) waiting.splice(at, 1);
      };
      const aborted = () => one.fail(signal.reason);
      const one: Waiting<T> = {
        take(connection) {
          leave();
          resolve(connection);
        },
        fail(error) {
          leave();
          reject(error);
        },
      };
      waiting[place](one);
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
    });
  }

  return {
    async take(signal, fresh) {
      // Behind those who wait already: the relay has just refused one more.
      let mustWait = waiting.length > 0;
      let place: 'push' | 'unshift' = 'push';
      for (;;) {
        const old = mustWait ? await wait(signal, place) : fresh ? undefined : kept.pop();
        if (old !== undefined) return { connection: old, isOld: true };
        try {
          const connection = await openOne(signal);
          // The relay may take more again.
          if (mustWait) tryAnother();
          return { connection, isOld: false };
        } catch (error) {
          if (signal.aborted || !mayHelp(error)) {
            tryAnother();
            throw error;
          }
          const free = kept.pop();
          if (free !== undefined) return { connection: free, isOld: true };
          if (isHopeless()) {
            for (const one of waiting.splice(0)) one.fail(error);
            throw error;
          }
          // One that has waited does not go behind those who came later.
          if (mustWait) place = 'unshift';
          mustWait = true;
        }
      }
    },
    giveBack(connection) {
      const [first] = waiting;
      if (first !== undefined) first.take(connection);
      else if (isClosed) retire(connection);
      else kept.push(connection);
    },
    ended(connection) {
      if (!alive.delete(connection)) return;
      const at = kept.indexOf(connection);
      if (at >= 0) kept.splice(at, 1);
      settling++;
      setTimeout(() => {
        settling--;
        tryAnother();
      }, SETTLING).unref();
      tryAnother();
    },
    close() {
      isClosed = true;
      return kept.splice(0);
    },
  };
}
