import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSemaphore, type Ticket } from '../../src/platform/semaphore.ts';

const UNLIMITED = { waiting: { each: 1000 } };

/** What came of the tickets, as far as it is known now. */
async function stateOf(tickets: readonly Ticket[]) {
  const nothing = Symbol('waits');
  const all = await Promise.all(
    tickets.map(({ turn }) => Promise.race([turn, Promise.resolve(nothing)])),
  );
  return all.map((state) => (state === nothing ? 'waits' : state ? 'in' : 'out'));
}

describe('a semaphore', () => {
  test('lets so many of a key in, and the others in the order of their coming', async () => {
    const semaphore = createSemaphore(UNLIMITED);
    const [a, b, c, d] = [1, 2, 3, 4].map(() => semaphore.enter('key', 2));
    const other = semaphore.enter('other', 2);
    const all = [a, b, c, d, other] as Ticket[];
    expect(await stateOf(all)).toEqual(['in', 'in', 'waits', 'waits', 'in']);
    expect([semaphore.inside, semaphore.waiting]).toEqual([3, 2]);
    b?.leave();
    b?.leave();
    expect(await stateOf(all)).toEqual(['in', 'in', 'in', 'waits', 'in']);
    d?.leave();
    expect([semaphore.inside, semaphore.waiting]).toEqual([3, 0]);
    expect(await stateOf([d as Ticket])).toEqual(['waits']);
    for (const ticket of all) ticket.leave();
    expect([semaphore.inside, semaphore.waiting]).toEqual([0, 0]);
  });

  test('refuses who would wait behind too many, of the key or in all', async () => {
    const semaphore = createSemaphore({ waiting: { each: 1, all: 2 } });
    const tickets = ['a', 'a', 'a', 'b', 'b', 'c', 'c'].map((key) => semaphore.enter(key, 1));
    expect(await stateOf(tickets)).toEqual(['in', 'waits', 'out', 'in', 'waits', 'in', 'out']);
  });

  test('has nobody wait longer than they have patience', async () => {
    const semaphore = createSemaphore({ ...UNLIMITED, patience: 20 });
    semaphore.enter('key', 1);
    expect(await semaphore.enter('key', 1).turn).toBe(false);
    expect(semaphore.waiting).toBe(0);
  });

  test('ends the wait of whose signal aborts, and takes no place from who has one', async () => {
    const semaphore = createSemaphore(UNLIMITED);
    const aborting = new AbortController();
    const first = semaphore.enter('key', 1, aborting.signal);
    const second = semaphore.enter('key', 1, aborting.signal);
    const third = semaphore.enter('key', 1);
    aborting.abort();
    expect(await stateOf([first, second, third])).toEqual(['in', 'out', 'waits']);
    expect(await stateOf([semaphore.enter('free', 1, aborting.signal)])).toEqual(['out']);
    first.leave();
    expect(await third.turn).toBe(true);
  });

  test('hands a place on only where that is wanted, and there is room', async () => {
    let room = 1;
    const semaphore = createSemaphore({ ...UNLIMITED, hasRoom: () => semaphore.inside < room });
    const [a, b, c] = [1, 2, 3].map(() => semaphore.enter('key', 1)) as [Ticket, Ticket, Ticket];
    a.leave(false);
    expect(await stateOf([b, c])).toEqual(['waits', 'waits']);
    // The next who leaves by itself lets in as many as fit.
    room = 2;
    const d = semaphore.enter('key', 3);
    d.leave();
    expect(await stateOf([b, c])).toEqual(['in', 'in']);
  });

  test('never lets in more than there are places, and nobody is left behind', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 40 }), (choices) => {
        const semaphore = createSemaphore(UNLIMITED);
        const tickets: Ticket[] = [];
        for (const choice of choices) {
          if (choice < 6) tickets.push(semaphore.enter('key', 2));
          else tickets.splice(choice % (tickets.length + 1), 1)[0]?.leave();
          expect(semaphore.inside).toBe(Math.min(2, tickets.length));
          expect(semaphore.waiting).toBe(Math.max(0, tickets.length - 2));
        }
      }),
    );
  });
});
