import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import type { TransactionScope } from '../../kysely/transaction-scope.ts';

/** Reads of a file beside the connection that writes it. */
export interface Reader {
  /** @throws UnavailableError when the file cannot be read for now */
  read(text: string, parameters: readonly unknown[]): Promise<unknown[]>;
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
  let opened: ReturnType<typeof openOnce> | undefined;
  let isOpen = false;

  function openOnce() {
    const handle = open();
    return { handle, begin: handle.prepare('begin'), end: handle.prepare('commit') };
  }

  function renew(): void {
    if (!isOpen) return;
    isOpen = false;
    opened?.end.run();
  }

  const statements = new LRUCache<string, Database.Statement>({ max: CACHED_STATEMENTS });
  function prepared(handle: Database.Database, text: string): Database.Statement {
    let statement = statements.get(text);
    if (statement === undefined) {
      statement = handle.prepare(text);
      statements.set(text, statement);
    }
    return statement;
  }

  return {
    async read(text, parameters) {
      scope.requireClosed();
      try {
        opened ??= openOnce();
        if (!isOpen) {
          opened.begin.run();
          isOpen = true;
          setImmediate(renew);
        }
        return prepared(opened.handle, text).all(parameters);
      } catch (error) {
        throw translate(error);
      }
    },
    renew,
    close() {
      renew();
      statements.clear();
      opened?.handle.close();
    },
  };
}
