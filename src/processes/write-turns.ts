/** Whose turn it is to write to a database that takes one writer at a time, among workers by their ids. */
export interface WriteTurns {
  ask(worker: number): void;
  over(worker: number): void;
  /** It has ended: what it had asked for, or had, is for the others. */
  gone(worker: number): void;
}

/** @param give tells a worker that it is its turn */
export function createWriteTurns(give: (worker: number) => void): WriteTurns {
  let waiting: number[] = [];
  let writing: number | undefined;

  function next(): void {
    writing = waiting.shift();
    if (writing !== undefined) give(writing);
  }

  return {
    ask(worker) {
      waiting.push(worker);
      if (writing === undefined) next();
    },
    over(worker) {
      if (writing === worker) next();
    },
    gone(worker) {
      waiting = waiting.filter((other) => other !== worker);
      if (writing === worker) next();
    },
  };
}
