import { expect, test } from 'vitest';
import { sharedReads } from '../../src/storage/kysely/shared-reads.ts';

interface Row {
  readonly key: string;
  readonly number: number;
}

/** A database whose answers come when they are let. */
function slowDatabase() {
  const asked: { keys: readonly string[]; answer: () => void; fail: () => void }[] = [];
  const read = (keys: readonly string[]) =>
    new Promise<Row[]>((resolve, reject) => {
      // Of a key that begins with x there is none, of the others there are two rows.
      const rows = keys
        .filter((key) => !key.startsWith('x'))
        .flatMap((key) => [1, 2].map((number) => ({ key, number })));
      asked.push({ keys, answer: () => resolve(rows), fail: () => reject(new Error('lost')) });
    });
  return { asked, shared: sharedReads(read, ({ key }: Row) => key) };
}

const rowsOf = (key: string) => [1, 2].map((number) => ({ key, number }));
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('the first are read for at once, those who come meanwhile share the next, each with their own rows', async () => {
  const { asked, shared } = slowDatabase();
  const answers = [['a'], ['b'], ['c', 'd'], ['x'], ['c']].map((keys) => shared(keys));
  expect(asked.map(({ keys }) => keys)).toEqual([['a'], ['b']]);
  asked[0]?.answer();
  await turn();
  expect(asked[2]?.keys).toEqual(['c', 'd', 'x']);
  asked[1]?.answer();
  asked[2]?.answer();
  expect(await Promise.all(answers)).toEqual([
    rowsOf('a'),
    rowsOf('b'),
    [...rowsOf('c'), ...rowsOf('d')],
    [],
    rowsOf('c'),
  ]);
});

test('one read that fails is told to those who share it, and to nobody else', async () => {
  const { asked, shared } = slowDatabase();
  const answers = ['a', 'b', 'c', 'd'].map((key) => shared([key]));
  asked[0]?.answer();
  asked[1]?.answer();
  await turn();
  asked[2]?.fail();
  const outcomes = await Promise.allSettled(answers);
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  const later = shared(['e']);
  asked.at(-1)?.answer();
  expect(await later).toEqual(rowsOf('e'));
});

test('a statement takes so many keys, and whoever asks for more by themselves gets them', async () => {
  const { asked, shared } = slowDatabase();
  const keys = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${name}${i}`);
  const answers = [['a'], ['b'], keys('c', 400), keys('d', 400), keys('e', 2000)].map((of) =>
    shared(of),
  );
  for (let i = 0; i < 5; i++) {
    asked[i]?.answer();
    await turn();
  }
  await Promise.all(answers);
  expect(asked.map((one) => one.keys.length)).toEqual([1, 1, 400, 400, 2000]);
});
