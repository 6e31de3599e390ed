import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const NOW = Date.UTC(2025, 0, 2);
/** More than one look at the database brings, and no round number. */
const SESSIONS = 2103;

describe.each(ENGINES)('validation sessions of Sydent’s, on %s,', (engine) => {
  let database: TestDatabase;
  let server: TestServer;
  beforeEach(async () => {
    database = await createDatabase(engine);
    // Makes the tables.
    server = await startTestServer({ engine, now: NOW, database });
    await server.stop();
  });
  afterEach(async () => {
    await server.stop();
    await database.drop();
  });

  async function addSessions(rows: readonly (readonly [number, string, string, number])[]) {
    for (let from = 0; from < rows.length; from += 500) {
      const some = rows.slice(from, from + 500);
      await database.execute(
        `insert into threepid_validation_sessions (id, medium, address, "clientSecret", validated, mtime) values ${some
          .map(() => "(?, 'email', ?, ?, 0, ?)")
          .join(', ')}`,
        some.flat(),
      );
    }
  }
  const addCode = (session: number, token: string, attempt: number) =>
    database.execute(
      'insert into threepid_token_auths ("validationSession", token, "sendAttemptNumber") values (?, ?, ?)',
      [session, token, attempt],
    );
  const request = (email: string, clientSecret: string, attempt: number) =>
    postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      email,
      client_secret: clientSecret,
      send_attempt: attempt,
    });
  const submit = (sid: string, token: string) =>
    postJson(`${server.url}/_matrix/identity/api/v1/validate/email/submitToken`, {
      sid,
      client_secret: 'secret',
      token,
    });

  test('are all taken over, of one kind the newest as the one that goes on, each with its code', async () => {
    const kind = ['twice@sample.test', 'secret'] as const;
    await addSessions([
      [5001, ...kind, NOW - 3000],
      [5002, 'Twice@Sample.test', 'secret', NOW - 1000],
      [5003, ...kind, NOW - 2000],
      ...Array.from(
        { length: SESSIONS },
        (_, index) =>
          [index + 1, `user${index}@sample.test`, 'secret', NOW - 5000 + index] as const,
      ),
    ]);
    await addCode(5001, 'OLDEST', 1);
    await addCode(5002, 'NEWEST', 7);
    await addCode(5003, 'BETWEEN', 9);
    await addCode(1, 'FIRST', 2);
    await addCode(SESSIONS, 'LAST', 3);
    server = await startTestServer({ engine, now: NOW, database });

    const [{ count }] = (await database.execute(
      'select count(*) as count from cognomen_sessions',
    )) as [{ count: number | string }];
    expect(Number(count)).toBe(SESSIONS + 3);
    expect((await request('twice@sample.test', 'secret', 7)).json.sid).toBe('5002');
    expect((await request('user0@sample.test', 'secret', 2)).json.sid).toBe('1');
    expect((await request(`user${SESSIONS - 1}@sample.test`, 'secret', 3)).json.sid).toBe(
      String(SESSIONS),
    );
    expect((await submit('5001', 'BETWEEN')).json.success).toBe(false);
    for (const [sid, token] of [
      ['5001', 'OLDEST'],
      ['5003', 'BETWEEN'],
      [String(SESSIONS), 'LAST'],
    ] as const) {
      expect((await submit(sid, token)).json).toEqual({ success: true });
    }
    expect(server.smtp.mails.length).toBe(0);
  });
});
