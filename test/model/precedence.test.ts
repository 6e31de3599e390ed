import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  aheadOf,
  type Dated,
  dateAfter,
  isNewer,
  newestOf,
  replaces,
} from '../../src/model/precedence.ts';

const few = fc.integer({ min: 0, max: 3 });
/** Many of the same age; ids are never used twice. */
const associations = fc
  .uniqueArray(fc.record({ ts: few, id: fc.nat(50) }), { selector: ({ id }) => id, minLength: 1 })
  .map((all): Dated[] => all);

test('of several associations the newest counts, in whatever order they are found', () => {
  fc.assert(
    fc.property(associations, fc.nat(), (all, turn) => {
      const newest = newestOf(all);
      const turned = [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)];
      expect(newestOf(turned.reverse())).toBe(newest);
      expect(newest?.ts).toBe(Math.max(...all.map(({ ts }) => ts)));
      for (const other of all) if (other !== newest) expect(isNewer(other, newest)).toBe(false);
    }),
  );
});

test('of none none counts', () => {
  expect(newestOf([])).toBeUndefined();
});

const NOW = 1_000_000_000_000;
const AHEAD = aheadOf(NOW);
const SERVERS = ['id.test', 'ID.test', 'peer.test', 'other.test'];

/** About now, too far ahead, and at the very edges. */
const dates = fc.oneof(
  fc.integer({ min: NOW - 3, max: NOW + 3 }),
  fc.integer({ min: AHEAD - 2, max: AHEAD + 2 }),
);
const statements = fc.array(
  fc.record({ originServer: fc.constantFrom(...SERVERS), originId: fc.nat(5), ts: dates }),
  { maxLength: 6 },
);

/** Everything said of one address, each stored unless what is there came later. */
function store(said: readonly { id: number; ts: number; deletes: boolean }[], server: string) {
  let stored: { originServer: string; originId: number; ts: number }[] = [];
  for (const { id, ts, deletes } of said) {
    const word = { originServer: server, originId: id, ts, deletes };
    const isLate = stored.some((other) => replaces({ ...other, deletes: false }, word, AHEAD));
    if (isLate && !deletes) continue;
    stored = stored.filter((other) => !replaces(word, other, AHEAD));
    if (!deletes) stored.push(word);
  }
  return stored;
}

test('what this server binds now counts, whatever is stored of the address', () => {
  fc.assert(
    fc.property(statements, (stored) => {
      const ts = dateAfter(
        stored.map((one) => one.ts),
        NOW,
      );
      const bound = { originServer: 'id.test', originId: Number.POSITIVE_INFINITY, ts };
      const left = stored.filter((one) => !replaces({ ...bound, deletes: false }, one, AHEAD));
      const all = [...left, bound].map((one, id) => ({ ...one, id }));
      expect(newestOf(all)?.id).toBe(left.length);
      expect(left.map((one) => one.originServer.toLowerCase())).not.toContain('id.test');
      // A peer takes it.
      expect(ts).toBeLessThanOrEqual(AHEAD);
    }),
  );
});

test('what this server deletes is gone, with all that others said before', () => {
  fc.assert(
    fc.property(statements, dates, (stored, ts) => {
      const said = { originServer: 'id.test', originId: Number.POSITIVE_INFINITY, ts };
      const left = stored.filter((one) => !replaces({ ...said, deletes: true }, one, AHEAD));
      for (const one of left) {
        expect(one.originServer.toLowerCase()).not.toBe('id.test');
        expect(one.ts).toBeGreaterThan(ts);
        expect(one.ts).toBeLessThan(AHEAD);
      }
    }),
  );
});

test('a binding removes none of another server, unless it is too far ahead', () => {
  fc.assert(
    fc.property(statements, dates, fc.nat(5), (stored, ts, originId) => {
      const bound = { originServer: 'third.test', originId, ts, deletes: false };
      for (const one of stored) expect(replaces(bound, one, AHEAD)).toBe(one.ts >= AHEAD);
    }),
  );
});

test('what a server said last of an address stays, in whatever order its bindings arrive', () => {
  const said = fc
    .uniqueArray(fc.nat(9), { minLength: 1, maxLength: 5 })
    .map((ids) => ids.map((id) => ({ id, ts: NOW + Math.floor(id / 2), deletes: false })));
  fc.assert(
    fc.property(said, (all) => {
      const last = Math.max(...all.map(({ id }) => id));
      expect(store(all, 'peer.test').map(({ originId }) => originId)).toEqual([last]);
    }),
  );
});

test('nothing is both older and newer than another', () => {
  fc.assert(
    fc.property(statements, (all) => {
      for (const a of all) {
        for (const b of all) {
          const both =
            replaces({ ...a, deletes: false }, b, AHEAD) &&
            replaces({ ...b, deletes: false }, a, AHEAD);
          expect(both && (a.ts < AHEAD || b.ts < AHEAD)).toBe(false);
        }
      }
    }),
  );
});
