import type { DestinationStream } from 'pino';

export interface LineDestination {
  write(text: string): void;
}

/** pino's level of a warning. */
const WARN = 40;
/** Characters that wait at most. */
const MOST = 16 * 1024;

/**
 * Writes the lines of one turn of the event loop together, once it is over: to write the line of each request by itself
 * takes a tenth of the time of answering it. A warning, and whatever is worse, is written at once with all that waits;
 * so a crash leaves everything that led to it. `flush` writes what waits.
 */
export function writeTogether(destination: LineDestination): DestinationStream & { flush(): void } {
  let waiting = '';
  const flush = () => {
    const text = waiting;
    waiting = '';
    if (text !== '') destination.write(text);
  };
  return {
    // Lets pino say of which level a line is, before it writes it.
    ...{ [Symbol.for('pino.metadata')]: true, lastLevel: 0 },
    write(this: { lastLevel: number }, line: string) {
      if (waiting === '') setImmediate(flush);
      waiting += line;
      if (this.lastLevel >= WARN || waiting.length > MOST) flush();
    },
    flush,
  } as DestinationStream & { flush(): void };
}
