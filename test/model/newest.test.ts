import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Dated, isNewer, newestOf } from '../../src/model/newest.ts';

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
