import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import type { TransactionScope } from '../../kysely/transaction-scope.ts';

/** Reads of a file beside the connection that writes it. */
export interface Reader {
  /** @throws UnavailableError when the file cannot be read for now */
  read(text: string, parameters: readonly unknown[]): Promise<unknown[]>;
  /** The same for one statement, which is kept. */
  prepare(text: string): (parameters: readonly unknown[]) => Promise<unknown[]>;
  /** To be called after each write: what is read from then on sees it. */
  renew(): void;
  close(): void;
}

/** Those from lists go through one parameter: there are not more. */
const CACHED_STATEMENTS = 200;

/**
 * A second connection, which waits for no transaction and takes no turn in the queue of the one that writes. All that
 * is read in one turn of the event loop is read in one transaction: to begin and end one, which locks the file, takes
 * longer than most reads.
 */
export function createReader(
  open: () => Database.Database,
  scope: TransactionScope,
  translate: (error: unknown) => unknown,
): Reader {
  // Now: later the path may lead to another file.
  const handle = open();
  const begin = handle.prepare('begin');
  const end = handle.prepare('commit');
  const undo = handle.prepare('rollback');
  let isOpen = false;

  function renew(): void {
    if (!isOpen) return;
    isOpen = false;
    // After some errors SQLite has ended it already, after others it cannot. The read has told of them.
    for (const statement of [end, undo]) {
      try {
        if (handle.inTransaction) statement.run();
      } catch {}
    }
  }

  const statements = new LRUCache<string, Database.Statement>({ max: CACHED_STATEMENTS });
  function prepared(text: string): Database.Statement {
    let statement = statements.get(text);
    if (statement === undefined) {
      statement = handle.prepare(text);
      statements.set(text, statement);
    }
    return statement;
  }

  async function run(statement: () => Database.Statement, parameters: readonly unknown[]) {
    scope.requireClosed();
    try {
      if (!isOpen) {
        if (!handle.inTransaction) begin.run();
        isOpen = true;
        setImmediate(renew);
      }
      return statement().all(parameters);
    } catch (error) {
      throw translate(error);
    }
  }

  return {
    read: (text, parameters) => run(() => prepared(text), parameters),
    prepare(text) {
      let own: Database.Statement | undefined;
      const statement = () => {
        own ??= handle.prepare(text);
        return own;
      };
      return (parameters) => run(statement, parameters);
    },
    renew,
    close() {
      renew();
      statements.clear();
      handle.close();
    },
  };
}
