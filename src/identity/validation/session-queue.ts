/** Who waits, in this process, for a session that somebody sends for. */
export interface SessionQueue {
  /** The caller has it now, until it calls what that returns; undefined while somebody else has it here. */
  take(key: string): (() => void) | undefined;
  /**
   * Resolves when it is worth looking at the session again: whoever has it here is done, or, where
   * another process has it, after a while. False when too many wait for it already.
   */
  next(key: string): Promise<boolean>;
}

/** A client asks again when it has no answer; no honest one asks so often. */
const MAX_WAITING = 100;
/** Milliseconds between two looks at what another process does. */
const POLL = 250;

export function createSessionQueue(): SessionQueue {
  const sending = new Map<string, Promise<void>>();
  const waiting = new Map<string, number>();

  return {
    take(key) {
      if (sending.has(key)) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      sending.set(key, promise);
      return () => {
        sending.delete(key);
        resolve();
      };
    },

    async next(key) {
      const before = waiting.get(key) ?? 0;
      if (before >= MAX_WAITING) return false;
      waiting.set(key, before + 1);
      let timer: NodeJS.Timeout | undefined;
      const poll = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, sending.has(key) ? 4 * POLL : POLL);
      });
      await Promise.race([sending.get(key) ?? poll, poll]);
      clearTimeout(timer);
      const left = (waiting.get(key) ?? 1) - 1;
      if (left === 0) waiting.delete(key);
      else waiting.set(key, left);
      return true;
    },
  };
}
