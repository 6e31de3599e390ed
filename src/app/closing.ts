import { setTimeout as passed } from 'node:timers/promises';
import type { Logger } from 'pino';
import { stopwatch } from '../platform/clock.ts';
import { logFailure } from '../platform/unavailable.ts';

/** Milliseconds for one step, for all steps together, and for each where that is used up. */
const TIMES = { step: 5000, all: 15_000, least: 200 };

/** What takes the server down again. */
export interface Closing {
  /** Adds a step that comes before those added earlier. `what` names it for the log. */
  defer(what: string, step: () => Promise<void>): void;
  /** Runs the steps, each after the one before it; one that fails or takes too long is told of, and left behind. */
  close(): Promise<void>;
  /** Leaves the steps to another, before those that it has. */
  moveTo(other: Pick<Closing, 'defer'>): void;
  /** What runs at the moment. */
  readonly current: string | undefined;
}

/** The steps of a stop: none of them keeps the others from being taken. */
export function createClosing(logger: Logger, times: Partial<typeof TIMES> = {}): Closing {
  const { step: stepLimit, all, least } = { ...TIMES, ...times };
  const steps: { readonly what: string; readonly step: () => Promise<void> }[] = [];
  let current: string | undefined;

  async function take(what: string, step: () => Promise<void>, limit: number): Promise<void> {
    const ending = new AbortController();
    const tooLong = passed(limit, 'late', { signal: ending.signal }).catch(() => 'done');
    const work = (async () => step())().catch((error: unknown) => {
      logFailure(logger, error, 'A step of the stop failed', { what });
    });
    const outcome = await Promise.race([work, tooLong]);
    ending.abort();
    if (outcome === 'late') logger.warn({ what }, 'This takes too long to stop; leaving it behind');
  }

  return {
    get current() {
      return current;
    },
    defer: (what, step) => void steps.push({ what, step }),
    moveTo(other) {
      for (const { what, step } of steps.splice(0)) other.defer(what, step);
    },
    async close() {
      const elapsed = stopwatch();
      for (let next = steps.pop(); next !== undefined; next = steps.pop()) {
        current = next.what;
        const limit = Math.max(least, Math.min(stepLimit, all - elapsed()));
        await take(next.what, next.step, limit);
      }
      current = undefined;
    },
  };
}
