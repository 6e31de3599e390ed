import { sql } from 'kysely';
import { stopwatch } from '../../platform/clock.ts';
import { inSpan, outside, runIn, type Scope, scopeHere } from '../../platform/tracing/scope.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { OpenTransaction, Storage, Stores } from '../stores/index.ts';

type Work = (transaction: OpenTransaction) => Promise<unknown>;

/** A transaction that somebody waits for. */
interface Member {
  readonly work: Work;
  readonly key: string;
  /** What it is part of. */
  readonly scope: Scope | undefined;
  /** Milliseconds since it came. */
  readonly waited: () => number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** Tells whoever waits for a member what has become of it; only once all is committed. */
type Settle = () => void;

/** Of a transaction: what is left to be done once it is committed, or why it is not. */
type Outcome =
  | { readonly done: readonly Settle[] }
  /** Alone it cannot help where none begins, nor may it run again where nobody knows whether it is committed. */
  | {
      readonly failure: unknown;
      readonly mayHelpAlone: boolean;
      /** Its connection was lost before anything was asked to be committed: on another one it may succeed. */
      readonly mayHelpAgain: boolean;
    };

/** Members of a group at most. */
const MOST = 64;
/** Milliseconds after which no other member begins: on SQLite nobody else is answered meanwhile. */
const LONGEST = { sqlite: 8, postgres: 50 };

/** From asking for it to its commit: statements in it are its parts, and the wait for its turn shows. */
const TRANSACTION = () => ({ name: 'transaction' });

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What PostgreSQL says of a transaction that somebody else stands in the way of: the same may well succeed by itself. */
const STOOD_IN_THE_WAY = new Set(['40001', '40P01']);
const isInTheWay = (error: unknown) =>
  error instanceof Error && 'code' in error && STOOD_IN_THE_WAY.has(String(error.code));

/** Whether it came of the connection, or of the server behind it: over another one the same may succeed. */
const isLost = (error: unknown) => error instanceof UnavailableError && error.connectionLost;

/** How `Storage.transaction` and `Storage.logTransaction` run on an engine. */
export function transactionsOn(
  engine: Engine,
  storesIn: (db: Db) => Stores,
): Pick<Storage, 'transaction' | 'logTransaction'> {
  /** Does a member's work; what it wants done after the commit is part of settling it. */
  async function runMember(db: Db, { work, scope, resolve, reject }: Member): Promise<Settle> {
    // The same step comes once, however often it was asked for.
    const steps = new Set<() => void>();
    const onCommit = (step: () => void) => void steps.add(step);
    const value = await runIn(scope, () =>
      engine.scope.run(() => work({ ...storesIn(db), onCommit })),
    );
    return () => {
      try {
        runIn(scope, () => {
          for (const step of steps) step();
        });
        resolve(value);
      } catch (error) {
        reject(error);
      }
    };
  }

  /** The same as one of several in a transaction: when it fails, it alone is undone. */
  async function runOneOfSeveral(db: Db, member: Member): Promise<Settle> {
    await sql`savepoint member`.execute(db);
    try {
      const settle = await runMember(db, member);
      await sql`release member`.execute(db);
      return settle;
    } catch (error) {
      // By itself it may succeed: as it is, or over another connection.
      if (isInTheWay(error) || isLost(error)) throw error;
      await sql`rollback to member`.execute(db);
      await sql`release member`.execute(db);
      return () => member.reject(error);
    }
  }

  /**
   * Runs the body in a transaction. Where the connection breaks while it commits, the database is asked what became of
   * it: it is taken for neither.
   */
  async function inTransaction(
    locksLog: boolean,
    body: (db: Db) => Promise<Settle[]>,
  ): Promise<Outcome> {
    let id: string | undefined;
    let hasBegun = false;
    let done: Settle[] | undefined;
    try {
      await engine.db.transaction().execute(async (db) => {
        if (locksLog) id = await engine.lockAssociationLog(db);
        hasBegun = true;
        done = await body(db);
      });
      return { done: done ?? [] };
    } catch (error) {
      try {
        if (done && id && (await engine.wasCommitted(id))) return { done };
      } catch (unknown) {
        return { failure: unknown, mayHelpAlone: false, mayHelpAgain: false };
      }
      const mayHelpAgain = isLost(error) && done === undefined;
      return { failure: error, mayHelpAlone: hasBegun, mayHelpAgain };
    } finally {
      if (locksLog) engine.requireCurrent();
    }
  }

  /** Runs one in a transaction of its own. */
  async function runAlone(member: Member, locksLog: boolean): Promise<Outcome> {
    const once = () =>
      runIn(member.scope, () =>
        inTransaction(locksLog, async (db) => [await runMember(db, member)]),
      );
    let outcome = await once();
    if ('failure' in outcome && outcome.mayHelpAgain) {
      engine.metrics.retried();
      outcome = await once();
    }
    if ('done' in outcome) for (const settle of outcome.done) settle();
    else member.reject(outcome.failure);
    return outcome;
  }

  /** One after the other; where no transaction begins any more, the others need not wait until theirs does not. */
  async function runEachAlone(members: readonly Member[], locksLog: boolean): Promise<void> {
    for (const [index, member] of members.entries()) {
      const outcome = await runAlone(member, locksLog);
      // Lost over a second connection, too: there is no third for each of the others.
      if ('done' in outcome || (outcome.mayHelpAlone && !isLost(outcome.failure))) continue;
      for (const { reject } of members.slice(index + 1)) reject(outcome.failure);
      return;
    }
  }

  /** Commits members together; those there was no time for. */
  async function commit(members: readonly Member[], locksLog: boolean): Promise<Member[]> {
    if (members.length === 1) {
      await runEachAlone(members, locksLog);
      return [];
    }
    let end = members.length;
    const outcome = await inTransaction(locksLog, async (db) => {
      const elapsed = stopwatch();
      const done: Settle[] = [];
      for (const [index, member] of members.entries()) {
        if (index > 0 && elapsed() > LONGEST[engine.name]) {
          end = index;
          break;
        }
        done.push(await runOneOfSeveral(db, member));
      }
      return done;
    });
    const own = members.slice(0, end);
    if ('done' in outcome) for (const settle of outcome.done) settle();
    // Nothing of it is committed: each by itself succeeds, or finds out what is wrong.
    else if (outcome.mayHelpAlone) await runEachAlone(own, locksLog);
    else for (const { reject } of own) reject(outcome.failure);
    return members.slice(end);
  }

  /**
   * Whoever would wait for others to commit commits together with those who wait as well: one at a time is at the disk,
   * and takes all who came meanwhile along the next time. Nobody waits for company.
   */
  function createGroup(locksLog: boolean) {
    let waiting: Member[] = [];
    let isRunning = false;

    async function run(): Promise<void> {
      isRunning = true;
      let members: Member[] = [];
      while (members.length + waiting.length > 0) {
        // All that came in this turn of the event loop; and those who only read get theirs.
        await nextTurn();
        // Those there was no time for come before all others: by keys alone they might be overtaken for ever.
        if (members.length === 0) {
          members = waiting
            .slice(0, MOST)
            .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
          waiting = waiting.slice(MOST);
          for (const { waited } of members) engine.metrics.waited(waited() / 1000);
        }
        members = await commit(members, locksLog);
      }
      isRunning = false;
    }

    engine.metrics.waiting(() => waiting.length);
    return (work: Work, key: string) =>
      new Promise<unknown>((resolve, reject) => {
        engine.scope.requireClosed();
        waiting.push({ work, key, scope: scopeHere(), waited: stopwatch(), resolve, reject });
        if (!isRunning) void outside(run);
      });
  }

  /** On SQLite, which has one writer at a time, everybody waits; on PostgreSQL those who write the log. */
  const writers = createGroup(!engine.hasOneWriter);

  return {
    async transaction(work) {
      return inSpan(TRANSACTION, async () => {
        if (engine.hasOneWriter) return writers(work, '') as ReturnType<typeof work>;
        const { promise, resolve, reject } = Promise.withResolvers<unknown>();
        engine.scope.requireClosed();
        const member = { work, key: '', scope: scopeHere(), waited: stopwatch(), resolve, reject };
        await runAlone(member, false);
        return promise as ReturnType<typeof work>;
      });
    },
    async logTransaction(work, key = '') {
      return inSpan(TRANSACTION, async () => writers(work, key) as ReturnType<typeof work>);
    },
  };
}
