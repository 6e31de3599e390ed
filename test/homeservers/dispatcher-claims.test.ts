import pino from 'pino';
import { expect, test } from 'vitest';
import type { NoticeResult } from '../../src/homeservers/onbind/delivery.ts';
import { startDispatcher } from '../../src/homeservers/onbind/dispatcher.ts';
import { createLeases } from '../../src/platform/leases.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { SERVER_NAME, TestClock } from '../support/server.ts';

const HOUR = 60 * 60 * 1000;

test.each(ENGINES)(
  'a homeserver whose turn comes again just when its claim is given back is claimed anew, and delivered to, on %s',
  async (engine) => {
    const database = await createDatabase(engine);
    const clock = new TestClock();
    const logger = pino({ level: 'silent' });
    const storage = await openStorage(configOf(database), {
      ...{ logger, clock, random: secureRandom, serverName: SERVER_NAME, pidFile: '' },
    });
    await storage.logTransaction(({ onbindNotices }) =>
      onbindNotices.add([
        {
          ...{ id: 1, serverName: 'hs.test', address: 'ada@hs.test', tokens: [] },
          ...{ association: '{}', createdAt: clock.now(), dueAt: clock.now() },
        },
      ]),
    );

    let looks = 0;
    let delivered = 0;
    const watched: Storage = {
      ...storage,
      async transaction(work) {
        const result = await storage.transaction(work);
        looks++;
        return result;
      },
      async logTransaction(work, key) {
        const result = await storage.logTransaction(work, key);
        // The claim is given back, and the dispatcher does not know it yet.
        if (delivered === 1) {
          clock.advance(2 * HOUR);
          const before = looks;
          dispatcher.wake();
          await expect.poll(() => looks).toBeGreaterThan(before);
        }
        return result;
      },
    };
    const parts = { storage: watched, clock, random: secureRandom, logger };
    const dispatcher = startDispatcher({
      ...parts,
      leases: createLeases(parts),
      metrics: createMetrics().onbind,
      deliver: async (): Promise<NoticeResult> =>
        ++delivered === 1 ? { kind: 'not-now', reason: 'away', wait: 0 } : { kind: 'withdrawn' },
      noticeLifetime: 1e12,
      refusedNoticeLifetime: 1e12,
      timings: { poll: 20, drain: 100 },
    });
    try {
      // Without any time passing in which a claim could lapse.
      await expect.poll(() => delivered).toBeGreaterThan(1);
    } finally {
      await dispatcher.stop();
      await storage.close();
      await database.drop();
    }
  },
);
