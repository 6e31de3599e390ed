import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adoptSydentData } from '../../src/identity/adoption/adopt.ts';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { openStorage } from '../../src/storage/open.ts';
import { ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf, createEarlierDatabase } from '../support/earlier-database.ts';
import { bind, lookup, unbind } from '../support/replicating-servers.ts';
import {
  PUBLIC_KEY,
  SIGNING_KEY,
  startTestServer,
  TestClock,
  type TestServer,
} from '../support/server.ts';

const NAME = 'ID.Example.org';
const NOW = Date.UTC(2025, 0, 2);

/** By address, the user who is found once all is in order. */
const EXPECTED = {
  sqlite: {
    'case@example.test': '@lower:hs.test',
    'rebound@example.test': '@rebound2:hs.test',
    'back@example.test': '@back2:hs.test',
    'mixed.name@example.test': '@mixed:hs.test',
    'left@example.test': '@left2:hs.test',
    'new.person@example.test': '@person:hs.test',
    'fresh@example.test': '@fresh:hs.test',
    'again@example.test': '@again2:hs.test',
    'ada@example.test': undefined,
    'gone@example.test': undefined,
    'grace@example.test': undefined,
  },
  postgres: {
    'ada@example.test': '@ada:hs.test',
    'rebound@example.test': '@rebound2:hs.test',
    'new.person@example.test': '@person:hs.test',
    'again@example.test': '@again1:hs.test',
    'gone@example.test': undefined,
  },
} as const;

interface GlobalRow {
  readonly id: number;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly originServer: string;
  readonly originId: number;
  readonly sgAssoc: string;
}

describe.each(ENGINES)(
  'a database of the version that wrote its name in lower case, on %s',
  (engine) => {
    let database: TestDatabase;
    let server: TestServer | undefined;

    beforeEach(async () => {
      database = await createEarlierDatabase(engine);
    });
    afterEach(async () => {
      await server?.stop();
      server = undefined;
      await database.drop();
    });

    const start = async (serverName = NAME) => {
      await server?.stop();
      server = await startTestServer({
        engine,
        serverName,
        now: NOW,
        database,
      });
      return server;
    };
    const rows = async () =>
      (
        (await database.execute(
          'select * from global_threepid_associations order by id',
        )) as GlobalRow[]
      ).map((row) => ({
        ...row,
        id: Number(row.id),
        originId: Number(row.originId),
        ts: Number(row.ts),
      }));
    const isOwn = ({ originServer }: GlobalRow) => originServer.toLowerCase() === 'id.example.org';
    const log = () => database.execute('select * from local_threepid_associations order by id');
    const keys = () =>
      database.execute('select * from cognomen_lookup_keys order by global_id, spelling');
    const state = async (key: string) => {
      const [row] = await database.execute('select value from cognomen_state where key = ?', [key]);
      return (row as { value: string } | undefined)?.value;
    };
    /** Everything that is to stay as it is. */
    const kept = async () => ({
      log: await log(),
      others: (await rows()).filter((row) => !isOwn(row)),
      peers: await database.execute('select * from peers order by id'),
    });

    async function expectInOrder(name: string): Promise<void> {
      const own = (await rows()).filter(isOwn);
      expect(new Set(own.map(({ originServer }) => originServer))).toEqual(new Set([name]));
      const entries = (await log()) as { id: number | string; mxid: string | null }[];
      for (const { id, mxid } of entries) {
        const of = own.filter(({ originId }) => originId === Number(id));
        expect(of.map((row) => row.mxid)).toEqual(mxid === null ? [] : [mxid]);
      }
      for (const { sgAssoc, address, mxid, ts } of own) {
        const signed = JSON.parse(sgAssoc);
        expect(signed).toMatchObject({ address, mxid, ts });
        expect(Object.keys(signed.signatures)).toEqual([name]);
        const key = decodeBase64(PUBLIC_KEY) ?? new Uint8Array();
        expect(verifySignedJson(signed, name, 'ed25519:0', key)).toBe(true);
      }
      const known = new Set((await rows()).map(({ id }) => id));
      for (const key of (await keys()) as { global_id: number }[]) {
        expect(known).toContain(Number(key.global_id));
      }
    }

    test('has its own associations under the name as written afterwards, each once, signed anew', async () => {
      const before = await kept();
      const position = await state('log_position');
      const running = await start();
      await expectInOrder(NAME);
      for (const [address, mxid] of Object.entries(EXPECTED[engine])) {
        const found = await lookup(running, address);
        expect(found.mxid, address).toBe(mxid);
        if (mxid !== undefined) expect(Object.keys(found.signatures)).toEqual([NAME]);
      }
      // Nor is there any row left that was replaced in lower case.
      for (const name of ['rebound', 'again']) {
        const own = (await rows()).filter(({ address }) => address === `${name}@example.test`);
        expect(own, name).toHaveLength(1);
      }
      await running.app.close();
      expect(await kept()).toEqual(before);
      const expectedPosition = engine === 'sqlite' ? '18' : position;
      expect(await state('log_position')).toBe(expectedPosition);
    });

    test('is left alone by every later start', async () => {
      await start();
      const after = [await rows(), await keys()];
      const { logs } = await start();
      expect([await rows(), await keys()]).toEqual(after);
      expect(logs.join('')).not.toContain('Took over');
    });

    test('gives out no row of before when an address is bound anew or unbound', async () => {
      const running = await start();
      await unbind(running, 'rebound@example.test', '@rebound2:hs.test');
      expect(await lookup(running, 'rebound@example.test')).toEqual({});
      await bind(running, 'again@example.test', '@again3:hs.test');
      const found = (await rows()).filter(({ address }) => address === 'again@example.test');
      expect(found.map(({ mxid, originServer }) => [mxid, originServer])).toEqual([
        ['@again3:hs.test', NAME],
      ]);
    });

    test('follows each later change of case', async () => {
      await start();
      const before = await kept();
      const ids = (await rows()).map(({ id, originId }) => [id, originId]);
      for (const name of ['id.example.ORG', NAME]) {
        await start(name);
        await server?.app.close();
        await expectInOrder(name);
      }
      expect(await kept()).toEqual(before);
      // But one of which Sydent had left an older row.
      const left = (await rows()).map(({ id, originId }) => [id, originId]);
      expect(ids).toEqual(expect.arrayContaining(left));
    });

    test('keeps the log entry of one address when another is bound whose old row has its id', async () => {
      const running = await start();
      const [entry] = (await log()) as { id: number }[];
      const id = Number(entry?.id);
      await database.execute(
        `insert into global_threepid_associations (id, medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values (5000, 'email', 'old@example.test', '@old:hs.test', 1, 1, 4000000000000, ?, 5000, '{}')`,
        [NAME],
      );
      await running.restart();
      await database.execute('delete from global_threepid_associations where "originId" = ?', [id]);
      await database.execute(
        'update global_threepid_associations set "originId" = ? where id = 5000',
        [id],
      );
      await bind(running, 'old@example.test', '@new:hs.test');
      expect(await log()).toContainEqual(entry);
    });

    test('has the last word in the log, whatever stands under both names', async () => {
      const entry = (id: number, address: string, mxid: string | null) =>
        database.execute(
          'insert into local_threepid_associations (id, medium, address, mxid, ts, "notBefore", "notAfter") values (?, ?, ?, ?, ?, ?, ?)',
          [
            id,
            'email',
            address,
            mxid,
            5000,
            ...(mxid === null ? [null, null] : [1, 4_000_000_000_000]),
          ],
        );
      const row = (origin: string, id: number, address: string, mxid: string, ts = 5000) =>
        database.execute(
          'insert into global_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values (?, ?, ?, ?, 1, 4000000000000, ?, ?, ?)',
          ['email', address, mxid, ts, origin, id, '{}'],
        );
      const lower = 'id.example.org';
      // The id meant another address once: an old Sydent gave ids out twice.
      await entry(2001, 'twin@example.test', '@twin:hs.test');
      await row(NAME, 2001, 'other@example.test', '@other:hs.test');
      await row(lower, 2001, 'twin@example.test', '@twin:hs.test');
      await entry(2002, 'deleted@example.test', null);
      await row(lower, 2002, 'deleted@example.test', '@deleted:hs.test');
      await entry(2003, 'wrong@example.test', '@right:hs.test');
      await row(lower, 2003, 'wrong@example.test', '@wrong:hs.test');
      // All of it was applied already.
      await database.execute("update cognomen_state set value = '2003' where key = 'log_position'");
      // Of which the log knows nothing at all.
      await row(lower, 2004, 'alone@example.test', '@alone:hs.test');
      await row(NAME, 2005, 'both@example.test', '@older:hs.test');
      await row(lower, 2005, 'both@example.test', '@newer:hs.test', 6000);
      const running = await start();
      for (const [name, user] of [
        ['twin', '@twin:hs.test'],
        ['other', undefined],
        ['deleted', undefined],
        ['wrong', '@right:hs.test'],
        ['alone', '@alone:hs.test'],
        ['both', '@newer:hs.test'],
      ] as const) {
        expect((await lookup(running, `${name}@example.test`)).mxid, name).toBe(user);
      }
      await expectInOrder(NAME);
    });

    test('does not mind where the step is broken off', async () => {
      const [pattern] = (await rows()).filter(
        ({ originServer }) => originServer === 'id.example.org',
      );
      const more = Array.from({ length: 600 }, (_, i) => i);
      const times = [pattern?.ts ?? 0, 1, 4_000_000_000_000];
      const address = (i: number) => ['email', `more${i}@example.test`, `@more${i}:hs.test`];
      await database.execute(
        `insert into local_threepid_associations (id, medium, address, mxid, ts, "notBefore", "notAfter") values ${more.map(() => '(?, ?, ?, ?, ?, ?, ?)').join()}`,
        more.flatMap((i) => [1000 + i, ...address(i), ...times]),
      );
      await database.execute(
        `insert into global_threepid_associations (id, medium, address, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc") values ${more.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join()}`,
        more.flatMap((i) => [1000 + i, ...address(i), ...times, 'id.example.org', 1000 + i, '{}']),
      );
      const before = await kept();
      const logger = pino({ level: 'silent' });
      const clock = new TestClock(NOW);
      const seed = decodeBase64(SIGNING_KEY.split(' ')[2] ?? '') ?? new Uint8Array();
      const serverKeys = createServerKeys(NAME, {
        signingKey: { version: '0', seed },
        oldKeys: [],
        oldSigningKeys: [],
      });
      /** Starts again and again, each time a step further, until all is done; how often. */
      const inPieces = async () => {
        let stops = 0;
        for (let done = false; !done; ) {
          const stopping = new AbortController();
          const progress = createProgress({ logger, clock, signal: stopping.signal });
          const storage = await openStorage(configOf(database), {
            logger,
            clock,
            random: secureRandom,
            serverName: NAME,
            pidFile: '',
          });
          const breaking: typeof progress = {
            async begin(...work) {
              const task = await progress.begin(...work);
              return {
                ...task,
                async advance(steps) {
                  if (steps > 0) stopping.abort();
                  await task.advance(steps);
                },
              };
            },
          };
          try {
            await adoptSydentData({ storage, keys: serverKeys, clock, logger, progress: breaking });
            done = true;
          } catch (error) {
            expect(error).toBe(stopping.signal.reason);
            stops++;
          } finally {
            await storage.close();
          }
          expect(stops).toBeLessThan(20);
        }
        return stops;
      };
      expect(await inPieces()).toBeGreaterThan(4);
      expect(await kept()).toEqual(before);
      await expectInOrder(NAME);

      await database.execute('delete from hashing_metadata');
      expect(await inPieces()).toBeGreaterThan(1);
      const [row] = await database.execute('select lookup_pepper as pepper from hashing_metadata');
      const { pepper } = row as { pepper: string };
      for (const key of (await keys()) as { spelling: string; lookup_hash: string }[]) {
        expect(key.lookup_hash).toBe(lookupHash(key.spelling, 'email', pepper));
      }
    });
  },
);
