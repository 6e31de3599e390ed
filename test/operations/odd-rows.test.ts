import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** Beyond what a date can be. */
const NEVER = '9007199254740991';

describe.each(ENGINES)('rows that nobody should have written, on %s,', (engine) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ engine });
  });
  afterAll(() => server.stop());

  const run = (...args: string[]) => runCommand(...args, '-c', server.config.files[0] ?? '');

  test('are shown with the times that they have, and those beside them too', async () => {
    const { database } = server;
    await database.execute(`insert into global_threepid_associations
      (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc")
      values ('email', 'far@sample.test', '@far:sample.test', ${NEVER}, 1, ${NEVER}, 'peer.test', 1, '{}')`);
    await database.execute(`insert into cognomen_lookup_keys (global_id, spelling, lookup_hash)
      select id, address, 'hash' from global_threepid_associations`);
    await database.execute(`insert into threepid_validation_sessions
      (id, medium, address, "clientSecret", validated, mtime)
      values (7, 'email', 'far@sample.test', 'secret', 0, ${NEVER})`);
    await database.execute(`insert into accounts (user_id, created_ts)
      values ('@far:sample.test', ${NEVER}), ('@near:sample.test', 0)`);
    const shown = expect.stringContaining(NEVER);
    expect(await run('lookup', 'far@sample.test')).toEqual({ status: 0, output: shown });
    expect(await run('sessions', 'list')).toEqual({ status: 0, output: shown });
    expect(await run('accounts', 'list')).toEqual({
      status: 0,
      output: expect.stringMatching(new RegExp(`${NEVER}[^]*@near:sample.test  since 1970`)),
    });
  });

  // PostgreSQL holds no such text.
  test.runIf(engine === 'sqlite')('end what goes through a table, be they no UTF-8', async () => {
    const { database } = server;
    await database.execute("insert into accounts values (cast(x'40ff3a78' as text), 0, null)");
    await database.execute("insert into tokens values (cast(x'ff' as text), '@near:sample.test')");
    expect(await run('stats')).toEqual({
      status: 0,
      output: expect.stringMatching(/^accounts {2}/m),
    });
    await server.restart();
    const dated = () => database.execute('select token from cognomen_tokens');
    await expect.poll(dated).not.toEqual([]);
    // Whatever goes on in the background has ended, as the server stops.
    await server.restart();
  });
});
