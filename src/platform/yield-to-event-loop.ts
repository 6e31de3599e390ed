let last: Promise<void> = Promise.resolve();

/**
 * Lets the event loop do what else is waiting: long work calls it every few milliseconds. Each caller gets a turn
 * of its own, so that many at once hold up the rest no longer than one.
 */
export function yieldToEventLoop(): Promise<void> {
  last = last.then(() => new Promise((resolve) => setImmediate(resolve)));
  return last;
}
