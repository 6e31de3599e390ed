/** The turn to write to a database that takes one writer at a time. */
export interface WriteTurn {
  /** Resolves when it is this process's turn, in the order of asking; what it resolves with gives the turn on. */
  enter(): Promise<() => void>;
}

/** A SQLite file that somebody holds for all processes of a server: those open this one and no other. */
export interface HeldFile {
  /** Where it is, links followed. */
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Other processes of the same server on the same database. Somebody holds it for all of them (`holdDatabase`). */
export interface Others {
  /** Undefined on PostgreSQL. */
  readonly file: HeldFile | undefined;
  /** Whether this one opens it before all others do, and brings it up to date. */
  readonly isFirst: boolean;
  readonly writeTurn: WriteTurn;
}
