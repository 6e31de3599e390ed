import type { Kysely, RawBuilder, Transaction } from 'kysely';
import { OperatorError } from '../../platform/operator-error.ts';
import type { Schema } from '../kysely/schema.ts';
import type { TransactionScope } from '../kysely/transaction-scope.ts';

/** A connection or a transaction: what the stores work on. */
export type Db = Kysely<Schema> | Transaction<Schema>;

/** What differs between the databases; everything else is written once. */
export interface Engine {
  readonly name: 'sqlite' | 'postgres';
  readonly db: Kysely<Schema>;
  /** Whether a transaction's work runs, in which nothing else gets a connection. */
  readonly scope: TransactionScope;
  /** `column IN values`, one parameter however many values there are. */
  isAnyOf(column: string | RawBuilder<string>, values: readonly string[]): RawBuilder<boolean>;
  /** Until the transaction ends nobody else writes associations. */
  lockAssociationLog(db: Db): Promise<void>;
  /** Whether rows read in a transaction must be locked to stay as read (SQLite's has one writer). */
  readonly locksRows: boolean;
  close(): Promise<void>;
}

/** The database could not be opened or does not suit; the message is for the operator. */
export class DatabaseOpenError extends OperatorError {
  override readonly name = 'DatabaseOpenError';
}
