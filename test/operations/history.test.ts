import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHistory, type HistoryDependencies } from '../../src/identity/history/history.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { UnavailableError } from '../../src/platform/unavailable.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Storage } from '../../src/storage/stores/index.ts';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { postJson } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { startTestServer, TestClock, type TestServer } from '../support/server.ts';

const logger = pino({ level: 'silent' });
const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
/** Yesterday at half past noon, so that a test stays within its hour and day, and commands see it. */
const NOON = Math.floor(Date.now() / DAY) * DAY - 11.5 * HOUR;

interface Metric {
  readonly name: string;
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

describe.each(ENGINES)('the history, on %s,', (engine) => {
  let server: TestServer;
  let api: AdminClient;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    server = await startTestServer({ engine, now: NOON, sections: { admin: WITH_ADMIN } });
    await restarted();
  });
  afterAll(() => server?.stop());

  /** What was counted is written at a stop, and what there is counted at a start. */
  async function restarted(): Promise<void> {
    await server.restart();
    api = adminClient(server, (await createAdminToken(file(), 'viewer')).token);
  }
  const points = async (name: string, days = '1') => {
    const { status, json } = await api.get('history', { days });
    expect(status).toBe(200);
    return (json.metrics as Metric[]).find((one) => one.name === name)?.points;
  };

  test('tells what there is each hour, and what happened in it, over a restart', async () => {
    const hour = NOON - HOUR / 2;
    await expect.poll(() => points('email bindings')).toEqual([{ at: hour, value: 0 }]);
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await invite(server, 'grace@sample.test');
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    const asked = { client_secret: 'secret', email: 'new@sample.test', send_attempt: 1 };
    await postJson(`${v1}/validate/email/requestToken`, asked);
    await restarted();
    expect(await points('email sent')).toEqual([{ at: hour, value: 2 }]);
    expect((await points('calls v1'))?.[0]?.value).toBeGreaterThanOrEqual(1);
    // It was counted in this hour already.
    expect(await points('email bindings')).toEqual([{ at: hour, value: 0 }]);

    server.clock.advance(HOUR);
    await restarted();
    await expect
      .poll(() => points('email bindings'))
      .toEqual([
        { at: hour, value: 0 },
        { at: hour + HOUR, value: 1 },
      ]);
    expect((await points('invitations pending'))?.at(-1)?.value).toBe(1);
    expect(await points('email sent')).toEqual([{ at: hour, value: 2 }]);
    const { output } = await runCommand('history', '--days', '2', '-c', file());
    expect(output).toContain('email bindings  1');
  });

  test('adds up by days, and tells how much there was at the end of each', async () => {
    const today = Math.floor(NOON / DAY) * 24;
    for (const [daysAgo, hour, value] of [
      [3, 1, 5],
      [3, 23, 7],
      [2, 4, 11],
    ] as const) {
      for (const metric of ['msisdn bindings', 'msisdn sent']) {
        await server.database.execute(
          'insert into cognomen_history (hour, metric, value) values (?, ?, ?)',
          [today - daysAgo * 24 + hour, metric, value],
        );
      }
    }
    const at = (daysAgo: number) => (today - daysAgo * 24) * HOUR;
    expect((await points('msisdn sent', '10'))?.slice(0, 2)).toEqual([
      { at: at(3), value: 12 },
      { at: at(2), value: 11 },
    ]);
    expect((await points('msisdn bindings', '10'))?.slice(0, 2)).toEqual([
      { at: at(3), value: 7 },
      { at: at(2), value: 11 },
    ]);
    expect((await api.get('history', { days: '36' })).status).toBe(400);
  });

  test('forgets what is past its time', async () => {
    const old = Math.floor(NOON / HOUR) - 36 * 24;
    await server.database.execute(
      'insert into cognomen_history (hour, metric, value) values (?, ?, ?)',
      [old, 'email sent', 1],
    );
    server.clock.advance(HOUR);
    await restarted();
    await expect
      .poll(() => server.database.execute(`select 1 from cognomen_history where hour = ${old}`))
      .toEqual([]);
  });
});

describe.each(ENGINES)('what is counted, on %s,', (engine) => {
  let database: TestDatabase;
  let storage: Storage;
  const clock = new TestClock(NOON);
  const hour = Math.floor(NOON / HOUR);

  beforeEach(async () => {
    database = await createDatabase(engine);
    const own = { logger, clock, random: secureRandom, serverName: 'id.test', pidFile: '' };
    storage = await openStorage(configOf(database), own);
  });
  afterEach(async () => {
    await storage.close();
    await database.drop();
  });

  const historyOf = (more: Partial<HistoryDependencies> = {}) =>
    createHistory({ storage, clock, serverName: 'id.test', logger, ...more });
  const rows = () => storage.stores.history.between(hour, hour + 1);

  test('is added up over processes that write at once', async () => {
    const processes = Array.from({ length: 5 }, () => historyOf());
    for (let round = 0; round < 10; round++) {
      for (const one of processes) {
        one.noteEvent({ medium: 'email', event: 'sent' });
        one.noteEvent({ medium: 'msisdn', event: 'proven' });
        one.noteEvent({ medium: 'email', event: 'opened' });
        one.noteOldWay('v1');
      }
      await Promise.all(processes.map((one) => one.write()));
    }
    expect(await rows()).toEqual(
      ['calls v1', 'email sent', 'msisdn proven'].map((metric) => ({ hour, metric, value: 50 })),
    );
    await Promise.all(processes.map((one) => one.takeStock()));
    expect(await rows()).toHaveLength(8);
  });

  test('waits for a database that is away, and is written once', async () => {
    let isAway = true;
    const history = historyOf({
      storage: {
        stores: storage.stores,
        transaction: (work) =>
          isAway ? Promise.reject(new UnavailableError('away')) : storage.transaction(work),
      },
    });
    history.noteEvent({ medium: 'email', event: 'sent' });
    await expect(history.write()).rejects.toThrow('away');
    history.noteEvent({ medium: 'email', event: 'sent' });
    isAway = false;
    await history.write();
    await history.write();
    expect(await rows()).toEqual([{ hour, metric: 'email sent', value: 2 }]);
  });
});
