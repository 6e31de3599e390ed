import path from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer, TestClock } from '../support/server.ts';
import { CAN_MOUNT, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';

const MOST_BINDS = 1000;
const AT_ONCE = 20;
/** Bytes that there is room for yet. */
const LEFT = 512 * 1024;

describe.runIf(CAN_MOUNT && ENGINES.includes('sqlite'))('a full disk', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let file: string;
  let disk: SmallDisk;
  beforeEach(async () => {
    folder = await temporaryFolder();
    disk = mountSmallDisk(folder.path, 16);
    file = path.join(folder.path, 'sydent.db');
  });
  afterEach(async () => {
    disk.unmount();
    await folder.remove();
  });

  test('refuses what writes, reads go on, and all is well when there is room again', async () => {
    const server = await startTestServer({ sections: { db: `db.file = ${file}` } });
    const bind = async (address: string) => {
      const { status } = await postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
        medium: 'email',
        address,
        mxid: '@ada:sample.test',
      });
      return { address, status };
    };
    const isFound = async (address: string) => {
      const query = { medium: 'email', address };
      return (await get(`${server.url}/_matrix/identity/api/v1/lookup`, query)).json.mxid;
    };
    const health = async () => (await get(`${server.url}/health`)).status;
    const lines = (text: string) => server.logs.filter((line) => line.includes(text));

    await bind('before@sample.test');
    await disk.fill(LEFT);
    const bound: Awaited<ReturnType<typeof bind>>[] = [];
    while (!bound.some(({ status }) => status !== 200) && bound.length < MOST_BINDS) {
      const addresses = Array.from(
        { length: AT_ONCE },
        (_, i) => `user${bound.length + i}@sample.test`,
      );
      bound.push(...(await Promise.all(addresses.map(bind))));
    }
    expect(new Set(bound.map(({ status }) => status))).toEqual(new Set([200, 503]));
    for (const { address, status } of bound) {
      expect(await isFound(address)).toBe(status === 200 ? '@ada:sample.test' : undefined);
    }
    await expect.poll(health).toBe(503);
    expect(lines('The database cannot be used:').map((line) => JSON.parse(line).reason)).toEqual([
      `the disk of ${file} is full: make room there`,
    ]);
    expect(lines('cannot rollback')).toEqual([]);
    expect(lines('no such savepoint')).toEqual([]);
    expect(lines('Request failed')).toEqual([]);

    await disk.makeRoom();
    expect((await bind('after@sample.test')).status).toBe(200);
    await expect.poll(health).toBe(200);
    expect(lines('The database can be used again')).toHaveLength(1);
    await server.stop();
  });

  test('in the middle of a transaction undoes all of it, and is what it fails with', async () => {
    const storage = await openStorage(
      { engine: 'sqlite', file, backup: false, exclusive: false },
      {
        logger: pino({ level: 'silent' }),
        clock: new TestClock(),
        random: secureRandom,
        serverName: 'id.test',
        pidFile: '',
      },
    );
    // More than SQLite keeps in memory until the commit, and than there is room for.
    const tooMuch = 'x'.repeat(40 * 1024 * 1024);
    const going = storage.transaction(async ({ state }) => {
      await state.set('first', 'undone');
      await state.set('too much', tooMuch).catch(() => {});
      await state.set('last', 'undone');
    });
    const beside = storage.transaction(({ state }) => state.set('beside', 'kept'));
    await expect(going).rejects.toThrow(`the disk of ${file} is full`);
    await beside;
    const { state } = storage.stores;
    expect(await Promise.all(['first', 'last', 'beside'].map((name) => state.get(name)))).toEqual([
      undefined,
      undefined,
      'kept',
    ]);
    await storage.close();
  });
});
