import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Logger } from 'pino';
import { DatabaseOpenError, type Engine } from '../engines/engine.ts';
import * as sydentTables from './0001-sydent-tables.ts';
import * as lookupsAndSessions from './0002-lookups-and-sessions.ts';
import * as accounts from './0003-accounts.ts';
import * as invitations from './0004-invitations.ts';
import * as replication from './0005-replication.ts';
import * as storedSpellings from './0006-stored-spellings.ts';
import * as refusedNotices from './0008-refused-notices.ts';
import * as oneSendAtATime from './0010-one-send-at-a-time.ts';
import * as networkKeys from './0012-network-keys.ts';
import * as invitationCounts from './0013-invitation-counts.ts';
import * as tokensOfAnAccount from './0014-tokens-of-an-account.ts';
import * as indexOfAnswers from './0015-index-of-answers.ts';
import { rotatedKeys } from './0016-rotated-keys.ts';
import * as buckets from './0017-buckets.ts';
import { twoVersions } from './0018-two-versions.ts';
import { messageEvents } from './0019-message-events.ts';
import { operators } from './0020-operators.ts';
import * as erasures from './0021-erasures.ts';
import * as inviteMails from './0022-invite-mails.ts';
import * as invitationRefusals from './0023-invitation-refusals.ts';
import * as ownerNotices from './0024-owner-notices.ts';
import * as ownerSessions from './0025-owner-sessions.ts';
import * as history from './0026-history.ts';
import * as whyNotTaken from './0027-why-not-taken.ts';

/** Where it is kept which are done. */
const TABLE = 'cognomen_migrations';

/**
 * The newest migration that a program has to know of, to use the database beside this one: those behind it only add what
 * it can do without. It is one that the minor version before this one has, so that nodes can be upgraded one by one.
 */
const NEEDED = '0016-rotated-keys';
/** Where the database says so, to programs that are older than what changed it. */
const NEEDED_TABLE = 'cognomen_migrations_needed';

/** In the order they run; never changed once released, only added to. Numbers that are missing were never used. */
function migrationsFor(engine: Engine): Record<string, Migration> {
  return {
    ...(engine.name === 'postgres' ? { '0001-sydent-tables': sydentTables } : {}),
    '0002-lookups-and-sessions': lookupsAndSessions,
    '0003-accounts': accounts,
    '0004-invitations': invitations,
    '0005-replication': replication,
    '0006-stored-spellings': storedSpellings,
    '0008-refused-notices': refusedNotices,
    '0010-one-send-at-a-time': oneSendAtATime,
    '0012-network-keys': networkKeys,
    '0013-invitation-counts': invitationCounts,
    '0014-tokens-of-an-account': tokensOfAnAccount,
    ...(engine.name === 'sqlite' ? { '0015-index-of-answers': indexOfAnswers } : {}),
    '0016-rotated-keys': rotatedKeys(engine.name),
    ...(engine.name === 'postgres' ? { '0017-buckets': buckets } : {}),
    '0018-two-versions': twoVersions(engine.name),
    '0019-message-events': messageEvents(engine.name),
    '0020-operators': operators(engine.name),
    '0021-erasures': erasures,
    '0022-invite-mails': inviteMails,
    '0023-invitation-refusals': invitationRefusals,
    '0024-owner-notices': ownerNotices,
    '0025-owner-sessions': ownerSessions,
    '0026-history': history,
    '0027-why-not-taken': whyNotTaken,
  };
}

export function migrator(engine: Engine): Migrator {
  return new Migrator({
    db: engine.db as Kysely<unknown>,
    provider: { getMigrations: async () => migrationsFor(engine) },
    migrationTableName: TABLE,
    migrationLockTableName: 'cognomen_migrations_lock',
  });
}

/** Whether the database lacks tables of ours. */
export async function hasPendingMigrations(engine: Engine): Promise<boolean> {
  const tables = await engine.db.introspection.getTables();
  if (!tables.some((table) => table.name === TABLE)) return true;
  const migrations = await migrator(engine).getMigrations();
  return migrations.some((migration) => migration.executedAt === undefined);
}

const usedByNewer = (migration: string) =>
  new DatabaseOpenError(
    `The database was used by a newer version of Cognomen, which made the change ${migration}: run that version or a newer one`,
  );

/** For what must know of all tables. @throws DatabaseOpenError where a newer version may have added some */
export async function refuseNewer(engine: Engine): Promise<void> {
  const unknown = await unknownMigration(engine);
  if (unknown !== undefined) throw usedByNewer(unknown);
}

/** A migration that was done by a newer version of this program; undefined when there is none. */
async function unknownMigration(engine: Engine): Promise<string | undefined> {
  const tables = await engine.db.introspection.getTables();
  if (!tables.some((table) => table.name === TABLE)) return undefined;
  const db = engine.db as unknown as Kysely<{ [TABLE]: { name: string } }>;
  const done = await db.selectFrom(TABLE).select('name').orderBy('name').execute();
  const known = migrationsFor(engine);
  return done.find(({ name }) => !Object.hasOwn(known, name))?.name;
}

const needs = (engine: Engine) =>
  engine.db as unknown as Kysely<{ [NEEDED_TABLE]: { name: string } }>;

/** What a program has to know of, as the newest that has used the database said. */
async function neededMigration(engine: Engine): Promise<string | undefined> {
  const tables = await engine.db.introspection.getTables();
  if (!tables.some((table) => table.name === NEEDED_TABLE)) return undefined;
  const all = await needs(engine).selectFrom(NEEDED_TABLE).select('name').execute();
  return all
    .map(({ name }) => name)
    .sort()
    .at(-1);
}

/** Older programs are told what they have to know of. */
async function noteNeeded(engine: Engine): Promise<void> {
  await needs(engine)
    .insertInto(NEEDED_TABLE)
    .values({ name: NEEDED })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * Brings our tables up to date, all pending migrations in one transaction.
 * @throws DatabaseOpenError which says why not
 */
export async function migrate(engine: Engine, logger: Logger): Promise<void> {
  const unknown = await unknownMigration(engine);
  if (unknown !== undefined) {
    const needed = await neededMigration(engine);
    if (needed !== undefined && Object.hasOwn(migrationsFor(engine), needed)) {
      const message =
        'A newer version has changed the database, in a way that this one goes on with';
      logger.warn({ migration: unknown }, message);
      return;
    }
    throw usedByNewer(unknown);
  }
  const { error, results } = await migrator(engine).migrateToLatest();
  for (const result of results ?? []) {
    if (result.status === 'Success') {
      logger.info({ migration: result.migrationName }, 'Database migration done');
    }
  }
  if (error !== undefined) {
    const failed = results?.find(({ status }) => status === 'Error')?.migrationName;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseOpenError(
      `The database could not be brought up to date${failed === undefined ? '' : ` (${failed})`}: ${reason}`,
      { cause: error },
    );
  }
  await noteNeeded(engine);
}
