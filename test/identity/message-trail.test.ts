import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NotedEvent } from '../../src/identity/messages/message-events.ts';
import {
  createMessageTrail,
  type MessageTrailDependencies,
} from '../../src/identity/messages/message-trail.ts';
import { countTest } from '../../src/identity/messages/test-messages.ts';
import { createBuckets } from '../../src/platform/buckets.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { UnavailableError } from '../../src/platform/unavailable.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Storage } from '../../src/storage/stores/index.ts';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { TestClock } from '../support/server.ts';

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
const logger = pino({ level: 'silent' });
const of = (address: string, more: Partial<NotedEvent> = {}): NotedEvent => ({
  event: 'asked',
  medium: 'email',
  address,
  ...more,
});

describe.each(ENGINES)('the trail of messages on %s', (engine) => {
  let database: TestDatabase;
  let storage: Storage;
  let clock: TestClock;
  let leftOut: number;

  beforeEach(async () => {
    clock = new TestClock();
    leftOut = 0;
    database = await createDatabase(engine);
    storage = await openStorage(configOf(database), {
      logger,
      clock,
      random: secureRandom,
      serverName: 'id.test',
      pidFile: '',
    });
  });
  afterEach(async () => {
    await storage.close();
    await database.drop();
  });

  /** One of a process. */
  const trailOf = (more: Partial<MessageTrailDependencies> = {}) =>
    createMessageTrail({
      storage,
      clock,
      buckets: createBuckets(clock),
      logger,
      kept: 7 * DAY,
      onLeftOut: (count) => {
        leftOut += count;
      },
      ...more,
    });
  const remembered = (address: string) => storage.stores.messageEvents.of('email', address);
  const rows = async () => {
    const all = await database.execute('select id from cognomen_message_events');
    return all.length;
  };

  test('is written by itself soon after, in the order of what came about', async () => {
    const trail = trailOf();
    trail.note(
      of('a@b.test', { mxid: '@a:b.test', details: { what: 'verification', no: undefined } }),
    );
    clock.advance(1);
    trail.note(
      of('a@b.test', { event: 'sent', details: { reply: `250\u0007 ${'x'.repeat(1000)}` } }),
    );
    await expect.poll(() => remembered('a@b.test')).toHaveLength(2);
    expect(await remembered('a@b.test')).toEqual([
      {
        ...of('a@b.test'),
        mxid: '@a:b.test',
        details: { what: 'verification' },
        times: 1,
        first: clock.now() - 1,
        last: clock.now() - 1,
      },
      expect.objectContaining({ event: 'sent', details: { reply: `250  ${'x'.repeat(295)}` } }),
    ]);
    expect(await remembered('b@b.test')).toEqual([]);
    await trail.stop();
  });

  test('has 50 events of an address, the newest', async () => {
    const trail = trailOf();
    for (let i = 0; i < 120; i++) trail.note(of('a@b.test', { details: { i } }));
    trail.note(of('b@b.test'));
    await trail.stop();
    const events = await remembered('a@b.test');
    expect(events.map(({ details }) => details['i'])).toEqual(
      Array.from({ length: 50 }, (_, index) => 70 + index),
    );
    expect(await remembered('b@b.test')).toHaveLength(1);
  });

  test('adds up what comes again on a day, of several processes together', async () => {
    const refused = of('a@b.test', {
      event: 'refused',
      details: { client: 'network', reason: 'mail.total' },
    });
    const trails = [trailOf(), trailOf()];
    for (let round = 0; round < 3; round++) {
      for (const trail of trails) for (let i = 0; i < 100; i++) trail.note(refused);
      await Promise.all(trails.map((trail) => trail.stop()));
      clock.advance(1000);
    }
    const [first, ...others] = await remembered('a@b.test');
    expect(first).toMatchObject({ times: 600, last: clock.now() - 1000 });
    expect(others).toEqual([]);
    clock.advance(DAY);
    trails[0]?.note(refused);
    await trails[0]?.stop();
    expect(await remembered('a@b.test')).toHaveLength(2);
    expect(leftOut).toBe(0);
  });

  test('adds up what comes again under whatever brand a client makes up', async () => {
    const trail = trailOf();
    trail.note(of('a@b.test'));
    for (let i = 0; i < 100; i++) {
      const details = { what: 'verification', client: 'network', brand: `brand-${i}` };
      trail.note(of('a@b.test', { event: 'repeated', details }));
    }
    await trail.stop();
    expect(await remembered('a@b.test')).toMatchObject([
      { event: 'asked' },
      { event: 'repeated', times: 100, details: { brand: 'brand-0' } },
    ]);
  });

  test('lets whoever hits limits for one address after the other make few rows', async () => {
    const trail = trailOf();
    const refuse = async (client: string, address: string) => {
      trail.note(of(address, { event: 'refused', details: { client, reason: 'mail.total' } }));
    };
    for (let i = 0; i < 300; i++) await refuse('one', `a${i}@b.test`);
    await trail.stop();
    expect(await rows()).toBe(20);
    expect(leftOut).toBe(280);
    // One who was noted goes on being counted, and takes no further room.
    await refuse('one', 'a0@b.test');
    await trail.stop();
    expect(await remembered('a0@b.test')).toMatchObject([{ times: 2 }]);
    // Others are noted all the same.
    await refuse('two', 'c@b.test');
    await trail.stop();
    expect(await remembered('c@b.test')).toHaveLength(1);
    // So do thousands of clients, together.
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 400; i++) await refuse(`${round} ${i}`, `d${round}-${i}@b.test`);
      await trail.stop();
    }
    expect(await rows()).toBe(1000);
  });

  test('leaves out what is too much at once, and says how much', async () => {
    const trail = trailOf();
    for (let i = 0; i < 1500; i++) trail.note(of(`a${i}@b.test`));
    for (let i = 0; i < 700; i++) trail.note(of(`b${i}@b.test`, { event: 'opened' }));
    await trail.stop();
    expect(leftOut).toBe(500 + 200);
    expect(await rows()).toBe(1500);
  });

  test('keeps what homeservers say only of addresses that a message went to', async () => {
    const trail = trailOf();
    trail.note(of('a@b.test'));
    for (const address of ['a@b.test', 'other@b.test']) {
      trail.note(of(address, { event: 'told', details: { homeserver: 'b.test' } }));
    }
    await trail.stop();
    expect(await remembered('a@b.test')).toHaveLength(2);
    expect(await remembered('other@b.test')).toEqual([]);
  });

  test('waits for a database that is away', async () => {
    let isAway = true;
    const trail = trailOf({
      storage: {
        stores: storage.stores,
        transaction: (work) =>
          isAway ? Promise.reject(new UnavailableError('away')) : storage.transaction(work),
      },
    });
    trail.note(of('a@b.test'));
    trail.note(of('a@b.test', { event: 'opened' }));
    await trail.stop();
    expect(await rows()).toBe(0);
    isAway = false;
    await trail.stop();
    expect(await rows()).toBe(2);
    expect(leftOut).toBe(0);
  });

  test('is deleted when its days are over', async () => {
    const trail = trailOf();
    for (let i = 0; i < 700; i++) trail.note(of(`a${i}@b.test`));
    await trail.stop();
    clock.advance(6 * DAY);
    trail.note(of('new@b.test'));
    await trail.stop();
    expect(await trail.deleteOld()).toBe(0);
    clock.advance(DAY + 1);
    expect(await trail.deleteOld()).toBe(700);
    expect(await remembered('new@b.test')).toHaveLength(1);
    // With nothing to be kept any more nothing is, and nothing comes.
    const off = trailOf({ kept: 0 });
    off.note(of('a@b.test'));
    await off.stop();
    expect(await off.deleteOld()).toBe(1);
    expect(await rows()).toBe(0);
  });

  test('has tests of messages, ten an hour, however many come at once', async () => {
    const count = () => countTest(storage, clock, 'email');
    const waits = await Promise.all(Array.from({ length: 12 }, count));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
    expect(await countTest(storage, clock, 'msisdn')).toBe(0);
    clock.advance(HOUR - 1);
    expect(await count()).toBe(1);
    clock.advance(1);
    expect(await count()).toBe(0);
    // A clock that has stepped back locks nobody out.
    clock.step(-DAY);
    expect(await count()).toBe(0);
  });

  test('has so many events in all, the newest', async () => {
    const trail = trailOf();
    for (let i = 0; i < 200; i++) trail.note(of(`a${i}@b.test`));
    await trail.stop();
    const deleted = await storage.transaction(({ messageEvents }) =>
      messageEvents.deleteOld(0, 150, 500),
    );
    expect(deleted).toBe(50);
    expect(await remembered('a49@b.test')).toEqual([]);
    expect(await remembered('a50@b.test')).toHaveLength(1);
  });
});
