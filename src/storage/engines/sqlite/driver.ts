import { setTimeout as wait } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { LRUCache } from 'lru-cache';
import { stopwatch } from '../../../platform/clock.ts';
import type { WriteTurn } from '../../others.ts';
import { isBusy, namingFile } from './errors.ts';
import type { OpenFile } from './open-file.ts';
import type { Reader } from './reader.ts';

/** Statements the server uses are few; those made from lists go through one parameter. */
const CACHED_STATEMENTS = 200;
/** Milliseconds in all that writers wait for another program's write; after that none waits until it is over. */
const PATIENCE = 5000;
/** Milliseconds between attempts at first, and at most. */
const PAUSE = { first: 2, longest: 100 };

/**
 * A parameter that is compared with an indexed column makes SQLite plan the statement anew for each value, which takes
 * longer than most statements. With a plus, which changes no value, it is none.
 */
class Compiler extends SqliteQueryCompiler {
  override getCurrentParameterPlaceholder(): string {
    return '+?';
  }
}

/** SQLite does roll back DDL; Kysely assumes otherwise. */
class TransactionalAdapter extends SqliteAdapter {
  /** Else Kysely would let whoever is to be refused wait before the driver is asked. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }

  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

export interface SqliteParts {
  readonly handle: Database.Database;
  readonly file: OpenFile;
  /** Reads beside the connection that writes; undefined where there is no file. */
  readonly reader: Reader | undefined;
  /** Where other processes of this server write to the file, too. */
  readonly writeTurn?: WriteTurn | undefined;
}

/** The one connection that writes. */
class Writer {
  readonly #parts: SqliteParts;
  /** Preparing costs several times what running a small one does. */
  readonly #statements = new LRUCache<string, Database.Statement>({ max: CACHED_STATEMENTS });
  #free: Promise<void> = Promise.resolve();
  #busyFor: (() => number) | undefined;

  constructor(parts: SqliteParts) {
    this.#parts = parts;
  }

  get reader(): Reader | undefined {
    return this.#parts.reader;
  }

  /** Resolves when it is one's turn, in the order of coming; what it resolves with gives the turn on. */
  async enter(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const free = this.#free;
    this.#free = promise;
    await free;
    const leave = await this.#parts.writeTurn?.enter();
    return () => {
      // What was read from here on sees what was written.
      this.reader?.renew();
      leave?.();
      resolve();
    };
  }

  /** Whether a transaction is open: after some errors, as of a full disk, SQLite ends it itself. */
  get isInTransaction(): boolean {
    return this.#parts.handle.inTransaction;
  }

  /** Whether the statement answers rows, and changes nothing. */
  onlyReads(text: string): boolean {
    return this.#with(text, ({ reader, readonly }) => reader && readonly);
  }

  run<Row>(text: string, parameters: readonly unknown[]): QueryResult<Row> {
    return this.#with(text, (statement) => {
      if (statement.reader) return { rows: statement.all(parameters) as Row[] };
      const { changes, lastInsertRowid } = statement.run(parameters);
      return { insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes), rows: [] };
    });
  }

  #with<T>(text: string, work: (statement: Database.Statement) => T): T {
    try {
      let statement = this.#statements.get(text);
      if (statement === undefined) {
        statement = this.#parts.handle.prepare(text);
        this.#statements.set(text, statement);
      }
      return work(statement);
    } catch (error) {
      throw namingFile(error, this.#parts.file.path);
    }
  }

  /**
   * What takes the write lock. While another program has it, it is tried again and again, and everybody else goes on: to
   * let SQLite wait would hold up all.
   */
  async runLocking<Row>(text: string, parameters: readonly unknown[]): Promise<QueryResult<Row>> {
    for (let pause = PAUSE.first; ; pause = Math.min(pause * 2, PAUSE.longest)) {
      this.#parts.file.check();
      // Else the log of what was written could not be emptied while somebody reads.
      this.reader?.renew();
      try {
        const result = this.run<Row>(text, parameters);
        this.#busyFor = undefined;
        return result;
      } catch (error) {
        if (!isBusy(error)) throw error;
        this.#busyFor ??= stopwatch();
        if (this.#busyFor() > PATIENCE) throw error;
        await wait(pause);
      }
    }
  }

  close(): void {
    this.#statements.clear();
  }
}

/** What one caller does: reads beside the writer, and all else in its turn with it. */
class QueuedConnection implements DatabaseConnection {
  readonly #writer: Writer;
  #leave: (() => void) | undefined;
  /** Why the transaction is no more, though nobody has ended it. */
  #lost: { readonly error: unknown } | undefined;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    if (this.#leave !== undefined) return this.#runInside(() => this.#writer.run(sql, parameters));
    const { reader } = this.#writer;
    if (reader && this.#writer.onlyReads(sql)) {
      return { rows: (await reader.read(sql, parameters)) as Row[] };
    }
    const leave = await this.#writer.enter();
    try {
      return await this.#writer.runLocking<Row>(sql, parameters);
    } finally {
      leave();
    }
  }

  /** Once the transaction is lost, nothing is done outside of it instead, and the first error is what is told. */
  async #runInside<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#lost) throw this.#lost.error;
    try {
      return await work();
    } catch (error) {
      if (!this.#writer.isInTransaction) this.#lost = { error };
      throw error;
    }
  }

  /** Takes the write lock at the start: a transaction never finds out half-way that it cannot write. */
  async begin(): Promise<void> {
    this.#leave = await this.#writer.enter();
    try {
      await this.#writer.runLocking('begin immediate', []);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  async commit(): Promise<void> {
    await this.#runInside(() => this.#writer.runLocking('commit', []));
  }

  rollback(): void {
    if (this.#writer.isInTransaction) this.#writer.run('rollback', []);
  }

  release(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.#lost = undefined;
  }

  streamQuery(): never {
    throw new Error('Nothing is streamed');
  }
}

class QueuedDriver implements Driver {
  readonly #writer: Writer;

  constructor(parts: SqliteParts) {
    this.#writer = new Writer(parts);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<QueuedConnection> {
    return new QueuedConnection(this.#writer);
  }

  async beginTransaction(connection: QueuedConnection): Promise<void> {
    await connection.begin();
  }

  async commitTransaction(connection: QueuedConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: QueuedConnection): Promise<void> {
    connection.rollback();
  }

  async releaseConnection(connection: QueuedConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {
    this.#writer.close();
  }
}

/** How Kysely works on an open SQLite file. */
export const sqliteDialect = (parts: SqliteParts): Dialect => ({
  createDriver: () => new QueuedDriver(parts),
  createAdapter: () => new TransactionalAdapter(),
  createQueryCompiler: () => new Compiler(),
  createIntrospector: (db) => new SqliteIntrospector(db),
});
