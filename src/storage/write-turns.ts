import type { WriteTurn } from './others.ts';

/**
 * Turns to write among several connections of this process, in the order of asking.
 * @param outer the turn among processes, which comes with it
 */
export function createWriteTurns(outer?: WriteTurn): WriteTurn {
  let free: Promise<void> = Promise.resolve();
  return {
    async enter() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = free;
      free = promise;
      await before;
      try {
        const leave = await outer?.enter();
        return () => {
          leave?.();
          resolve();
        };
      } catch (error) {
        resolve();
        throw error;
      }
    },
  };
}
