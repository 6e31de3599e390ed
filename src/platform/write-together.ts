import type { DestinationStream } from 'pino';

export interface LineDestination {
  write(text: string): void;
}

/** pino's level of a warning. */
const WARN = 40;
/** Octets that wait at most; of several processes on one pipe, as many as a pipe takes whole (PIPE_BUF). */
const MOST = { alone: 16 * 1024, shared: 4096 };

/**
 * Writes the lines of one turn of the event loop together, once it is over: to write the line of each request by itself
 * takes a tenth of the time of answering it. A warning, and whatever is worse, is written at once with all that waits;
 * so a crash leaves everything that led to it. `flush` writes what waits.
 * @param isShared whether other processes write to the same place: none of them is to write within a line of this one
 */
export function writeTogether(
  destination: LineDestination,
  isShared = false,
): DestinationStream & { flush(): void } {
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
    // Lets pino say of which level a line is, before it writes it.
    ...{ [Symbol.for('pino.metadata')]: true, lastLevel: 0 },
    write(this: { lastLevel: number }, line: string) {
      const own = Buffer.byteLength(line);
      if (octets + own > most) flush();
      if (waiting === '') setImmediate(flush);
      waiting += line;
      octets += own;
      if (this.lastLevel >= WARN) flush();
    },
    flush,
  } as DestinationStream & { flush(): void };
}
