/** Who waits, in this process, for a session that somebody sends for. */
export interface SessionQueue {
  /** The caller sends for it now; to be called when that is over. */
  take(sid: number): () => void;
  /**
   * Resolves when it is worth looking at the session again: whoever has it here is done, or, where
   * another process has it, after a while. False when too many wait for it already.
   */
  next(sid: number): Promise<boolean>;
}

/** A client asks again when it has no answer; no honest one asks so often. */
const MAX_WAITING = 100;
/** Milliseconds between two looks at what another process does. */
const POLL = 250;

export function createSessionQueue(): SessionQueue {
  const sending = new Map<number, Promise<void>>();
  const waiting = new Map<number, number>();

  return {
    take(sid) {
      const { promise, resolve } = Promise.withResolvers<void>();
      sending.set(sid, promise);
      return () => {
        if (sending.get(sid) === promise) sending.delete(sid);
        resolve();
      };
    },

    async next(sid) {
      const before = waiting.get(sid) ?? 0;
      if (before >= MAX_WAITING) return false;
      waiting.set(sid, before + 1);
      let timer: NodeJS.Timeout | undefined;
      const poll = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, sending.has(sid) ? 4 * POLL : POLL);
      });
      await Promise.race([sending.get(sid) ?? poll, poll]);
      clearTimeout(timer);
      const left = (waiting.get(sid) ?? 1) - 1;
      if (left === 0) waiting.delete(sid);
      else waiting.set(sid, left);
      return true;
    },
  };
}
