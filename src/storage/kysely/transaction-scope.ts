import { AsyncLocalStorage } from 'node:async_hooks';
import type { Dialect } from 'kysely';
import { withDriver } from './with-driver.ts';

/** Tells whether the code that runs was begun by a transaction's work, and that is not over yet. */
export class TransactionScope {
  readonly #scopes = new AsyncLocalStorage<{ isOpen: boolean }>();

  /** Runs the work of a transaction; what it leaves running is outside once it has ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const scope = { isOpen: true };
    return this.#scopes.run(scope, async () => {
      try {
        return await work();
      } finally {
        scope.isOpen = false;
      }
    });
  }

  /** Runs what is no part of the transaction, though its work has caused it; the work may not wait for it. */
  outside<T>(work: () => T): T {
    return this.#scopes.exit(work);
  }

  /** @throws Error where a transaction's work runs */
  requireClosed(): void {
    if (!(this.#scopes.getStore()?.isOpen ?? false)) return;
    throw new Error(
      'A query outside the transaction that is open: use the stores that its work was given',
    );
  }
}

/**
 * The dialect, but inside a transaction nobody gets another connection: SQLite would wait for ever for the one
 * that the transaction has, and PostgreSQL would do the work outside it, unseen and not undone with it.
 */
export const withinOneTransaction = (dialect: Dialect, scope: TransactionScope): Dialect =>
  withDriver(dialect, (driver) => {
    const acquire = driver.acquireConnection.bind(driver);
    return {
      acquireConnection(...options) {
        scope.requireClosed();
        return acquire(...options);
      },
    };
  });
