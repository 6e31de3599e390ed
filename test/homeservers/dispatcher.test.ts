import { setImmediate } from 'node:timers/promises';
import pino from 'pino';
import { expect, test } from 'vitest';
import { createNoticeDelivery } from '../../src/homeservers/onbind/delivery.ts';
import { startDispatcher } from '../../src/homeservers/onbind/dispatcher.ts';
import { createOnbindNotices } from '../../src/identity/invitations/onbind-notices.ts';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { createLeases } from '../../src/platform/leases.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { NewNotice, Notice, Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { SERVER_NAME, TestClock } from '../support/server.ts';

const BUSY = 'busy.test';
const OWED = 5000;
/** As many as are scheduled of one host at most; the onbindNotices stays far below. */
const SCHEDULED = 1000;
const AT_ONCE = 4;

test.each(ENGINES)(
  '5,000 notices to one host are stored, few of them scheduled, and hold no other up (%s)',
  async (engine) => {
    const database = await createDatabase(engine);
    const clock = new TestClock();
    const logger = pino({ level: 'silent' });
    const storage = await openStorage(configOf(database), {
      logger,
      clock,
      random: secureRandom,
      serverName: SERVER_NAME,
      pidFile: '',
    });
    const noticeTo = (serverName: string, number = 0): NewNotice => {
      const address = `${number}@${serverName}`;
      const association = {
        medium: 'email',
        address,
        mxid: `@a:${serverName}`,
        ts: 1,
        not_before: 1,
        not_after: clock.now() * 2,
      };
      return {
        id: secureRandom.integer53(),
        serverName,
        address,
        tokens: [],
        association: JSON.stringify(association),
        createdAt: clock.now(),
        dueAt: clock.now(),
      };
    };
    const owe = (notices: readonly NewNotice[]) =>
      storage.logTransaction(async ({ onbindNotices }) => {
        for (let from = 0; from < notices.length; from += 500) {
          await onbindNotices.add(notices.slice(from, from + 500));
        }
      });
    await owe(Array.from({ length: OWED }, (_, number) => noticeTo(BUSY, number)));

    /** Notices of the busy host that were read and are not done with. */
    const held = new Set<number>();
    let mostHeld = 0;
    const { onbindNotices } = storage.stores;
    const noteHeld = (notices: readonly Notice[]) => {
      for (const { id, serverName } of notices) if (serverName === BUSY) held.add(id);
      mostHeld = Math.max(mostHeld, held.size);
      return notices as Notice[];
    };
    const watched: Storage = {
      ...storage,
      stores: {
        ...storage.stores,
        onbindNotices: {
          ...onbindNotices,
          due: async (...query) => noteHeld(await onbindNotices.due(...query)),
          dueRefused: async (...query) => noteHeld(await onbindNotices.dueRefused(...query)),
        },
      },
    };
    const metrics = createMetrics().onbind;
    const keys = createServerKeys(SERVER_NAME, {
      signingKey: { version: '0', seed: secureRandom.bytes(32) },
      oldKeys: [],
      oldSigningKeys: [],
    });
    const parts = { storage: watched, clock, random: secureRandom, logger, metrics };
    const { sign } = createOnbindNotices({ ...parts, keys, expiry: 0, added: () => {} });
    let open = Promise.withResolvers<void>();
    let underWay = 0;
    let mostUnderWay = 0;
    let taken = 0;
    const told = new Set<string>();
    const deliver = createNoticeDelivery({
      ...parts,
      keys,
      trail: { note: () => {} },
      sign,
      rules: { keepDelivered: false, keyGrace: 0 },
      async send(serverName) {
        if (serverName === BUSY) {
          mostUnderWay = Math.max(mostUnderWay, ++underWay);
          await open.promise;
          // As answers do, it comes in a turn of its own.
          await setImmediate();
          underWay--;
          taken++;
        }
        told.add(serverName);
        return { kind: 'taken' };
      },
    });
    const dispatcher = startDispatcher({
      ...parts,
      leases: createLeases(parts),
      async deliver(id) {
        try {
          return await deliver(id);
        } finally {
          held.delete(id);
        }
      },
      noticeLifetime: 1e12,
      refusedNoticeLifetime: 1e12,
      timings: { poll: 20, drain: 100 },
    });
    try {
      const tellOthers = async (round: string) => {
        const others = Array.from({ length: 20 }, (_, index) => `${round}${index}.test`);
        await owe(others.map((other) => noticeTo(other)));
        dispatcher.wake();
        await expect.poll(() => others.filter((other) => told.has(other)).length).toBe(20);
      };
      // While it does not answer, and once it has, a few at a time.
      await expect.poll(() => underWay).toBe(1);
      await tellOthers('a');
      expect(told.has(BUSY)).toBe(false);
      open.resolve();
      await expect.poll(() => taken).toBeGreaterThan(20);
      open = Promise.withResolvers();
      await expect.poll(() => underWay).toBeGreaterThan(0);
      await tellOthers('b');
      open.resolve();
      const left = await database.execute('select id from cognomen_notices');
      expect(left.length).toBeGreaterThan(SCHEDULED);
      expect(mostUnderWay).toBe(AT_ONCE);
      expect(mostHeld).toBeGreaterThan(AT_ONCE);
      expect(mostHeld).toBeLessThanOrEqual(SCHEDULED / 10);
    } finally {
      open.resolve();
      await dispatcher.stop();
      await storage.close();
      await database.drop();
    }
  },
);
