import Database from 'better-sqlite3';
import { Kysely, PostgresDialect, SqliteDialect, sql } from 'kysely';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as sydentTables from '../../src/storage/migrations/0001-sydent-tables.ts';
import * as invitations from '../../src/storage/migrations/0004-invitations.ts';
import * as refusedNotices from '../../src/storage/migrations/0008-refused-notices.ts';
import { ENGINES } from '../support/databases.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** More than are read at a time. */
const NOTICES = 1203;

interface Tables {
  cognomen_notices: {
    id: number;
    server_name: string;
    association: string;
    created_ts: number;
    next_attempt_ts: number;
    address: string;
    refused_ts: number | null;
  };
}

describe.each(ENGINES)('on %s', (engine) => {
  let db: Kysely<Tables>;
  let drop: () => Promise<void>;

  beforeEach(async () => {
    if (engine === 'sqlite') {
      db = new Kysely({ dialect: new SqliteDialect({ database: new Database(':memory:') }) });
      drop = async () => {};
      await sql`create table invite_tokens (id integer primary key, medium, address, token, received_ts, sent_ts)`.execute(
        db,
      );
    } else {
      const database = await createTestDatabase();
      const pool = new pg.Pool({ connectionString: database.url });
      db = new Kysely({ dialect: new PostgresDialect({ pool }) });
      drop = database.drop;
      await sydentTables.up(db as Kysely<unknown>);
    }
    await invitations.up(db as Kysely<unknown>);
  });
  afterEach(async () => {
    await db.destroy();
    await drop();
  });

  test('what is owed from before is found by its address, and was not refused yet', async () => {
    const address = (index: number) => `grace"${index}"@sample.test`;
    for (let index = 0; index < NOTICES; index++) {
      await db
        .insertInto('cognomen_notices')
        .values({
          id: index * 7,
          server_name: 'hs.test',
          created_ts: 1,
          next_attempt_ts: 1,
          association: JSON.stringify({ medium: 'email', address: address(index) }),
        } as Tables['cognomen_notices'])
        .execute();
    }
    await refusedNotices.up(db as unknown as Parameters<typeof refusedNotices.up>[0]);
    const rows = await db
      .selectFrom('cognomen_notices')
      .select(['address', 'refused_ts'])
      .orderBy('id')
      .execute();
    expect(rows).toEqual(
      Array.from({ length: NOTICES }, (_, index) => ({
        address: address(index),
        refused_ts: null,
      })),
    );
  });
});
