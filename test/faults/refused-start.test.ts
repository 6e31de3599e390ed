import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { startTestServer } from '../support/server.ts';

describe.each(ENGINES)('a start on %s', (engine) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createDatabase(engine);
  });
  afterEach(() => database.drop());

  test('is refused where a newer version changed the database, and changes nothing', async () => {
    await (await startTestServer({ database })).stop();
    await database.execute('insert into cognomen_migrations (name, timestamp) values (?, ?)', [
      '9999-from-the-future',
      '2030-01-01T00:00:00.000Z',
    ]);
    await database.execute('insert into cognomen_migrations_needed (name) values (?)', [
      '9999-from-the-future',
    ]);
    await expect(startTestServer({ database })).rejects.toThrow(
      'The database was used by a newer version of Cognomen, which made the change 9999-from-the-future: run that version or a newer one',
    );
    const names = await database.execute('select name from cognomen_migrations');
    expect(names).toContainEqual({ name: '9999-from-the-future' });
  });

  test('goes on where a newer version only added what this one can do without', async () => {
    await (await startTestServer({ database })).stop();
    await database.execute('insert into cognomen_migrations (name, timestamp) values (?, ?)', [
      '9999-from-the-future',
      '2030-01-01T00:00:00.000Z',
    ]);
    const server = await startTestServer({ database });
    expect(server.logs.join('')).toContain('A newer version has changed the database');
    await server.stop();
    const needed = await database.execute('select name from cognomen_migrations_needed');
    expect(needed).toHaveLength(1);
    expect(await database.execute('select name from cognomen_migrations')).toContainEqual(
      needed[0],
    );
  });
});

describe.runIf(ENGINES.includes('postgres'))('a start on PostgreSQL', () => {
  test('says what it may not do there', async () => {
    const database = await createDatabase('postgres');
    const user = `reader_${process.pid}`;
    await database.execute(`create role ${user} login password 'reader'`);
    const config = database.config.replace(/:\/\/[^@]*@/, `://${user}:reader@`);
    await expect(startTestServer({ database, sections: { db: config } })).rejects.toThrow(
      /^The database could not be brought up to date.*: permission denied for schema public$/,
    );
    await database.execute(`drop role ${user}`);
    await database.drop();
  });
});
