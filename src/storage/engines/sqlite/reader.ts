import type Database from 'better-sqlite3';
import type { TransactionScope } from '../../kysely/transaction-scope.ts';

/** Reads of a file beside the connection that writes it. */
export interface Reader {
  prepare(text: string): (parameters: readonly unknown[]) => Promise<unknown[]>;
  /** To be called after each write: what is read from then on sees it. */
  renew(): void;
  close(): void;
}

/**
 * A second connection, which waits for no transaction and takes no turn in the queue of the one that writes. All that
 * is read in one turn of the event loop is read in one transaction: to begin and end one, which locks the file, takes
 * longer than most reads.
 */
export function createReader(open: () => Database.Database, scope: TransactionScope): Reader {
  let handle: Database.Database | undefined;
  let begin: Database.Statement | undefined;
  let end: Database.Statement | undefined;
  let isOpen = false;

  function renew(): void {
    if (!isOpen) return;
    isOpen = false;
    end?.run();
  }

  return {
    prepare(text) {
      let statement: Database.Statement | undefined;
      return async (parameters) => {
        scope.requireClosed();
        handle ??= open();
        begin ??= handle.prepare('begin');
        end ??= handle.prepare('commit');
        statement ??= handle.prepare(text);
        if (!isOpen) {
          begin.run();
          isOpen = true;
          setImmediate(renew);
        }
        return statement.all(parameters);
      };
    },
    renew,
    close() {
      renew();
      handle?.close();
    },
  };
}
