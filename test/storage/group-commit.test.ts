import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import pg from 'pg';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import type { DatabaseConfig, PostgresConfig } from '../../src/storage/database-config.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { OpenTransaction, Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { TestClock } from '../support/server.ts';

const open = (config: DatabaseConfig) =>
  openStorage(config, {
    logger: pino({ level: 'silent' }),
    clock: new TestClock(),
    random: secureRandom,
    serverName: 'id.test',
    pidFile: '',
  });

const noteAs =
  (name: string) =>
  async ({ state }: Pick<OpenTransaction, 'state'>) => {
    await state.set(name, 'noted');
    return name;
  };

describe.each(ENGINES)('those who wait for each other, on %s,', (engine) => {
  let database: TestDatabase;
  let storage: Storage;
  beforeEach(async () => {
    database = await createDatabase(engine);
    storage = await open(configOf(database));
  });
  afterEach(async () => {
    await storage.close();
    await database.drop();
  });
  const isNoted = async (name: string) => (await storage.stores.state.get(name)) !== undefined;

  test('are committed together, but for one that fails', async () => {
    const steps: string[] = [];
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((name) =>
        storage.logTransaction(async (stores) => {
          stores.onCommit(() => void steps.push(name));
          await noteAs(name)(stores);
          if (name === 'b') throw new Error('b is refused');
          return name;
        }),
      ),
    );
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'a' },
      { status: 'rejected', reason: new Error('b is refused') },
      { status: 'fulfilled', value: 'c' },
      { status: 'fulfilled', value: 'd' },
    ]);
    expect(steps).toEqual(['a', 'c', 'd']);
    expect(await Promise.all(['a', 'b', 'c', 'd'].map(isNoted))).toEqual([true, false, true, true]);
  });

  test('come in the order of their keys, and of one key in that of their coming', async () => {
    const order: string[] = [];
    await Promise.all(
      [
        ['b', 1],
        ['a', 1],
        ['b', 2],
        ['a', 2],
      ].map(([key, number]) =>
        storage.logTransaction(async () => void order.push(`${key}${number}`), String(key)),
      ),
    );
    expect(order).toEqual(['a1', 'a2', 'b1', 'b2']);
  });

  test('are not overtaken, group after group, by those who come later with keys before theirs', async () => {
    /** Longer than others may begin after. */
    const slowly = async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      setTimeout(resolve, 60);
      await promise;
    };
    let isOver = false;
    let overtook = 0;
    const client = async () => {
      while (!isOver) {
        await storage.logTransaction(slowly, 'a');
        overtook++;
      }
    };
    const clients = [client(), client(), client()];
    await storage.logTransaction(async () => {}, 'b');
    isOver = true;
    // At most those that waited before it, and those that came while the first of them were at work.
    expect(overtook).toBeLessThanOrEqual(2 * clients.length);
    await Promise.all(clients);
  });

  test('see what those before them wrote, and nobody else does before the commit', async () => {
    const seen: unknown[] = [];
    await Promise.all([
      storage.logTransaction(noteAs('first')),
      storage.logTransaction(async ({ state }) => void seen.push(await state.get('first'))),
    ]);
    expect(seen).toEqual(['noted']);
  });

  test('a step after the commit that fails keeps no other from being done', async () => {
    const done: string[] = [];
    const [one, two] = await Promise.allSettled([
      storage.logTransaction(async (stores) => {
        stores.onCommit(() => {
          throw new Error('no step');
        });
        await noteAs('one')(stores);
      }),
      storage.logTransaction(async (stores) => {
        stores.onCommit(() => void done.push('two'));
        await noteAs('two')(stores);
      }),
    ]);
    expect(one.status).toBe('rejected');
    expect(two.status).toBe('fulfilled');
    expect(done).toEqual(['two']);
  });
});

/** Stands before PostgreSQL, and breaks the connection over which the next COMMIT comes. */
async function startBreaker({ host, port }: PostgresConfig, when: 'before' | 'after') {
  let armed = false;
  let refuses = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const behind = connect(port, host);
    const end = () => {
      client.destroy();
      behind.destroy();
    };
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    let breaks = false;
    client.on('data', (chunk) => {
      if (armed && chunk.includes('commit')) {
        armed = false;
        if (when === 'before') return end();
        breaks = true;
        // Nor over a connection that is there already.
        if (refuses)
          for (const socket of sockets)
            if (socket !== client && socket !== behind) socket.destroy();
      }
      behind.write(chunk);
    });
    // It is done, and nobody is told.
    behind.on('data', (chunk) => (breaks ? end() : client.write(chunk)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    arm() {
      armed = true;
    },
    /** Nobody gets through once it is broken. */
    refuse() {
      refuses = true;
      server.close();
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe.runIf(ENGINES.includes('postgres'))('on PostgreSQL', () => {
  test.each([
    ['before', 1],
    ['after', 1],
    ['before', 3],
    ['after', 3],
  ] as const)(
    'a connection that breaks %s the commit of %i leaves nobody with a wrong answer',
    async (when, count) => {
      const database = await createDatabase('postgres');
      const config = configOf(database) as PostgresConfig;
      const breaker = await startBreaker(config, when);
      const storage = await open({ ...config, host: '127.0.0.1', port: breaker.port });
      const names = Array.from({ length: count }, (_, i) => `name${i}`);
      breaker.arm();
      const steps: string[] = [];
      const outcomes = await Promise.allSettled(
        names.map((name) =>
          storage.logTransaction(async (stores) => {
            stores.onCommit(() => void steps.push(name));
            return noteAs(name)(stores);
          }),
        ),
      );
      for (const [i, { status }] of outcomes.entries()) {
        const stored = await storage.stores.state.get(`name${i}`);
        expect(status === 'fulfilled').toBe(stored === 'noted');
      }
      // One alone is refused where it was undone; of several each is tried again.
      const done = when === 'after' || count > 1 ? names : [];
      expect(steps).toEqual(done);
      await storage.close();
      breaker.stop();
      await database.drop();
    },
  );

  test('where nobody can tell what became of a commit, nobody is told that it succeeded, and none is run again', async () => {
    const database = await createDatabase('postgres');
    const config = configOf(database) as PostgresConfig;
    const breaker = await startBreaker(config, 'after');
    const storage = await open({ ...config, host: '127.0.0.1', port: breaker.port });
    breaker.arm();
    const ran: string[] = [];
    const outcomes = Promise.allSettled(
      ['one', 'two'].map((name) =>
        storage.logTransaction(async (stores) => {
          ran.push(name);
          breaker.refuse();
          return noteAs(name)(stores);
        }),
      ),
    );
    const unknown = { status: 'rejected', reason: { name: 'CommitUnknownError' } };
    const [one, two] = await outcomes;
    expect(one).toMatchObject(unknown);
    // On a slow machine there is no time for it in the same transaction; then none begins any more.
    expect(two).toMatchObject(ran.length === 2 ? unknown : { status: 'rejected' });
    expect(ran).toEqual(['one', 'two'].slice(0, ran.length));
    await storage.close();
    breaker.stop();
    await database.drop();
  });

  test('a group over a connection that takes no writes any more succeeds over another; where none does, it is refused soon', async () => {
    const database = await createDatabase('postgres');
    const storage = await open(configOf(database));
    const connectionString = database.config.slice('db.url = '.length).replaceAll('%%', '%');
    const operator = new pg.Client({
      connectionString,
      options: '-c default_transaction_read_only=off',
    });
    await operator.connect();
    const name = new URL(connectionString).pathname.slice(1);
    const takeWrites = (value: boolean) =>
      operator.query(
        `alter database ${name} set default_transaction_read_only = ${value ? 'off' : 'on'}`,
      );
    await takeWrites(false);
    await operator.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
      [name],
    );
    let ran = 0;
    const group = (names: readonly string[]) =>
      Promise.allSettled(
        names.map((one) =>
          storage.logTransaction((stores) => {
            ran++;
            return noteAs(one)(stores);
          }),
        ),
      );
    const many = Array.from({ length: 20 }, (_, i) => `name${i}`);
    const refused = await group(many);
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set(['rejected']));
    const tries = ran;
    // The connection that is kept then is of before.
    await expect.poll(async () => (await storage.stores.state.get('name0')) ?? 'none').toBe('none');
    await takeWrites(true);
    const outcomes = await group(['a', 'b', 'c']);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(3).fill('fulfilled'));
    // Not each of them twice over connections of its own.
    expect(tries).toBeLessThan(many.length);
    await operator.end();
    await storage.close();
    await database.drop();
  });

  test('a group that cannot begin is refused at once, and not one by one', async () => {
    const database = await createDatabase('postgres');
    const config = configOf(database) as PostgresConfig;
    const holder = await open(config);
    const storage = await open({ ...config, statementTimeout: 500 });
    let ran = 0;
    let outcomes: readonly PromiseSettledResult<unknown>[] = [];
    let took = 0;
    await holder.logTransaction(async () => {
      const begin = performance.now();
      outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, () => storage.logTransaction(async () => ran++)),
      );
      took = performance.now() - begin;
    });
    expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill('rejected'));
    expect(ran).toBe(0);
    // One by one they would take 4 s.
    expect(took).toBeLessThan(2500);
    await Promise.all([holder.close(), storage.close()]);
    await database.drop();
  });

  test('two servers whose groups stand in each other’s way both get done', async () => {
    const database = await createDatabase('postgres');
    const [one, two] = [await open(configOf(database)), await open(configOf(database))];
    const names = Array.from({ length: 40 }, (_, i) => `name${i}`);
    const other = names.toReversed();
    // Outside the log's lock, in the other order.
    await Promise.all([
      ...names.map((name) => one.logTransaction(noteAs(name), name)),
      ...other.map((name) => two.transaction(noteAs(name))),
      ...other.map((name) => two.logTransaction(noteAs(name))),
    ]);
    for (const name of names) expect(await one.stores.state.get(name)).toBe('noted');
    await Promise.all([one.close(), two.close()]);
    await database.drop();
  });

  test('who waits shares the commit', async () => {
    const database = await createDatabase('postgres');
    const storage = await open(configOf(database));
    let commits = 0;
    const query = pg.Client.prototype.query;
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      if (args[0] === 'commit') commits++;
      return (query as (...all: unknown[]) => unknown).apply(this, args);
    } as typeof query;
    try {
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => storage.logTransaction(noteAs(`name${i}`))),
      );
    } finally {
      pg.Client.prototype.query = query;
      await storage.close();
      await database.drop();
    }
    expect(commits).toBeLessThan(10);
  });
});
