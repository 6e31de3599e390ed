/** Lets the event loop do what else is waiting: long work calls it every few milliseconds. */
export const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
