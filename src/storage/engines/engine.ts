import type { Kysely, RawBuilder, Transaction } from 'kysely';
import type { DatabaseMetrics } from '../../platform/database-metrics.ts';
import { OperatorError } from '../../platform/operator-error.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import type { Schema } from '../kysely/schema.ts';
import type { TransactionScope } from '../kysely/transaction-scope.ts';
import type { Remnants } from '../stores/index.ts';

/** A connection or a transaction: what the stores work on. */
export type Db = Kysely<Schema> | Transaction<Schema>;

declare const LIST: unique symbol;
/** A list as the engine takes it for a parameter. */
export type TextList = { readonly [LIST]: true };

/** Keys that have a hash. */
export interface KeysByHash {
  readonly table: 'cognomen_lookup_keys' | 'cognomen_rotated_keys';
  /** The number of the pepper, where the table holds the hashes by several. */
  readonly pepper?: RawBuilder<number> | undefined;
}

/** What differs between the databases; everything else is written once. */
export interface Engine {
  readonly name: 'sqlite' | 'postgres';
  readonly db: Kysely<Schema>;
  readonly metrics: DatabaseMetrics;
  /** Whether a transaction's work runs, in which nothing else gets a connection. */
  readonly scope: TransactionScope;
  /**
   * Makes the text known as one that stays prepared, whoever runs it. What it returns runs it outside of transactions, for
   * statements that only read: it waits for none that is open, and sees what is committed.
   */
  prepare(text: string): (parameters: readonly unknown[]) => Promise<unknown[]>;
  /** The same, for what may be a moment late, but not behind what this process wrote: a replica may be read. */
  prepareLate(text: string): ReturnType<Engine['prepare']>;
  /** Whoever reads from now on is to find all that is committed by now, also what may else be late. */
  requireCurrent(): void;
  /** Several values as one parameter of a statement. */
  list(values: readonly string[]): TextList;
  /** The members of a JSON list that is a parameter, as a table with the column `value`. */
  members(json: RawBuilder<string>): RawBuilder<unknown>;
  /** Those of these keys, as `lookup`, whose hash is in the list; no hash may be in it twice. */
  keysByHash(keys: KeysByHash, hashes: RawBuilder<TextList>): RawBuilder<unknown>;
  /** The associations as `global`, where of their columns only what a lookup answers is read. */
  readonly answers: RawBuilder<unknown>;
  /** `column IN list`. */
  isIn(column: string | RawBuilder<string>, list: RawBuilder<TextList>): RawBuilder<boolean>;
  /** The same of these values, where the statement is made for them. */
  isAnyOf(column: string | RawBuilder<string>, values: readonly string[]): RawBuilder<boolean>;
  /** Whether a statement waits for a round trip, which those who ask at once had better share. */
  readonly isRemote: boolean;
  /**
   * Until the transaction ends nobody else writes associations. The transaction's id, where its commit can be cut off
   * without anybody knowing what became of it.
   */
  lockAssociationLog(db: Db): Promise<string | undefined>;
  /** Whether the transaction with that id is committed. @throws CommitUnknownError when that cannot be found out */
  wasCommitted(id: string): Promise<boolean>;
  /** Whether all transactions that write wait for each other. */
  readonly hasOneWriter: boolean;
  /** Whether rows read in a transaction must be locked to stay as read (SQLite's has one writer). */
  readonly locksRows: boolean;
  /** Whether an error says that the database takes no writes for now, while it can be read. */
  isReadOnly(error: unknown): boolean;
  /** What is wrong with the database's file, so many at most; PostgreSQL has programs of its own for that. */
  fileFaults(limit: number): readonly string[];
  /** Of deleted rows in its file; undefined where there is no file of ours. */
  readonly remnants: Remnants | undefined;
  /** @throws UnavailableError while the database cannot be read, or takes no writes */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Nobody knows whether a transaction was committed: it may not be run again. */
export class CommitUnknownError extends UnavailableError {
  override readonly name = 'CommitUnknownError';
}

/** The database could not be opened or does not suit; the message is for the operator. */
export class DatabaseOpenError extends OperatorError {
  override readonly name = 'DatabaseOpenError';
}
