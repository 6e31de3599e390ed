import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import { yieldToEventLoop } from './yield-to-event-loop.ts';

/**
 * Work before the server answers, which may take minutes: how far it is, is said in the log whatever its
 * level, and a server that is told to stop breaks it off.
 */
export interface Progress {
  /**
   * Begins work that goes on in steps, such as rows. What takes less than a second is done silently.
   * @param what a line of the log, such as "Backing up the database"
   * @param steps how many there are, or counts those still to do, which is asked when the work takes long
   * @param atOnce says the first line now: the first step may take long
   */
  begin(what: string, steps: number | (() => Promise<number>), atOnce?: boolean): Promise<Task>;
}

export interface Task {
  /**
   * Counts these steps as done, and gives everything else a turn: to be called where the work may be
   * broken off. Rejects with the signal's reason when the server is to stop.
   */
  advance(steps: number): Promise<void>;
  /** The same where nothing can be waited for: how many steps are done, of how many. */
  reached(done: number, total: number): void;
  end(): void;
}

export interface ProgressDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Aborted when the server is to stop. */
  readonly signal?: AbortSignal | undefined;
  /** Writes a line for who looks on, where the log goes elsewhere. */
  readonly terminal?: ((line: string) => void) | undefined;
}

/** Milliseconds of silence at the beginning, and between two lines. */
const QUIET = 1000;
const INTERVAL = 5000;

export function createProgress(deps: ProgressDependencies): Progress {
  const { clock, signal, terminal } = deps;
  // A level of its own: at WARNING, too, nobody should wonder why nothing answers.
  const logger = deps.logger.child({}, { level: 'info' });
  const say = (details: object, line: string) => {
    logger.info(details, line);
    terminal?.(line);
  };

  return {
    async begin(what, steps, atOnce = false) {
      const started = clock.now();
      let done = 0;
      let total = typeof steps === 'number' ? steps : undefined;
      let said: number | undefined;
      const isDue = () =>
        said === undefined ? clock.now() - started >= QUIET : clock.now() - said >= INTERVAL;

      function report(): void {
        const all = Math.max(total ?? 0, done);
        const isFirst = said === undefined;
        said = clock.now();
        if (isFirst || done === 0) {
          say({ total: all }, `${what}: ${all} in all`);
          return;
        }
        const percent = Math.floor((done / all) * 100);
        const secondsLeft = Math.ceil((((said - started) / done) * (all - done)) / 1000);
        const left = `${percent} %, about ${secondsLeft} s left`;
        say({ done, total: all, percent, secondsLeft }, `${what}: ${left}`);
      }

      const count = async () => done + (typeof steps === 'number' ? steps : await steps());
      if (atOnce) {
        total ??= await count();
        report();
      }
      return {
        async advance(more) {
          done += more;
          await yieldToEventLoop();
          signal?.throwIfAborted();
          if (!isDue()) return;
          total ??= await count();
          report();
        },
        reached(now, all) {
          [done, total] = [now, all];
          signal?.throwIfAborted();
          if (isDue()) report();
        },
        end() {
          if (said === undefined) return;
          const seconds = Math.round((clock.now() - started) / 1000);
          say({ done, seconds }, `${what}: done, in ${seconds} s`);
        },
      };
    },
  };
}
