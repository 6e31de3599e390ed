import type { DestinationStream } from 'pino';

export interface LineDestination {
  write(text: string): void;
}

/** Writes lines, and tells each one that is of an error. */
export function tellingErrors(
  write: (line: string, isUrgent: boolean) => void,
  told: (line: string) => void,
): DestinationStream {
  return {
    // Lets pino say of which level a line is, before it writes it.
    ...{ [Symbol.for('pino.metadata')]: true, lastLevel: 0 },
    write(this: { lastLevel: number }, line: string) {
      write(line, this.lastLevel >= LEVELS.warn);
      if (this.lastLevel >= LEVELS.error) told(line);
    },
  } as DestinationStream;
}

/** pino's levels. */
const LEVELS = { warn: 40, error: 50 };
/** Octets that wait at most; of several processes on one pipe, as many as a pipe takes whole (PIPE_BUF). */
const MOST = { alone: 16 * 1024, shared: 4096 };

/** Lines that wait, and are written with `flush` at the latest. */
export interface WaitingLines {
  /** @param isUrgent all that waits is written at once, this line too */
  write(line: string, isUrgent: boolean): void;
  flush(): void;
}

/**
 * Writes the lines of one turn of the event loop together, once it is over: to write the line of each request by itself
 * takes a tenth of the time of answering it. A warning, and whatever is worse, is written at once with all that waits;
 * so a crash leaves everything that led to it.
 * @param isShared whether other processes write to the same place: none of them is to write within a line of this one
 */
export function writeTogether(destination: LineDestination, isShared = false): WaitingLines {
  const most = isShared ? MOST.shared : MOST.alone;
  let waiting = '';
  let octets = 0;
  const flush = () => {
    const text = waiting;
    waiting = '';
    octets = 0;
    if (text !== '') destination.write(text);
  };
  return {
    write(line, isUrgent) {
      const own = Buffer.byteLength(line);
      if (octets + own > most) flush();
      if (waiting === '') setImmediate(flush);
      waiting += line;
      octets += own;
      if (isUrgent) flush();
    },
    flush,
  };
}
