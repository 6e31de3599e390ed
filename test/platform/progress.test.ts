import pino from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { createProgress } from '../../src/platform/progress.ts';
import { TestClock } from '../support/server.ts';

let clock: TestClock;
let logs: string[];
let shown: string[];

beforeEach(() => {
  clock = new TestClock();
  logs = [];
  shown = [];
});

const progress = (level = 'fatal', signal?: AbortSignal) =>
  createProgress({
    logger: pino({ level }, { write: (line: string) => void logs.push(line) }),
    clock,
    signal,
    terminal: (line: string) => void shown.push(line),
  });

test('a start line with the number, one every few seconds, and one at the end, on the terminal too', async () => {
  const task = await progress().begin('Counting sheep', async () => 900);
  for (let i = 0; i < 9; i++) {
    clock.advance(1000);
    await task.advance(100);
  }
  task.end();
  const lines = [
    'Counting sheep: 1000 in all',
    'Counting sheep: 60 %, about 4 s left',
    'Counting sheep: done, in 9 s',
  ];
  expect(shown).toEqual(lines);
  expect(logs.map((line) => JSON.parse(line))).toMatchObject(
    lines.map((msg) => ({ level: 30, msg })),
  );
});

test('silence about what takes less than a second', async () => {
  const task = await progress('debug').begin('Counting sheep', async () => {
    throw new Error('Nobody asked');
  });
  clock.advance(999);
  await task.advance(100);
  task.end();
  expect([...logs, ...shown]).toEqual([]);
});

test('a line before the first step where that may take long', async () => {
  const task = await progress().begin('Moving a mountain', 3, true);
  expect(shown).toEqual(['Moving a mountain: 3 in all']);
  clock.advance(6000);
  task.reached(0, 3);
  task.reached(1, 3);
  clock.advance(6000);
  task.reached(2, 3);
  task.end();
  expect(shown.at(-2)).toBe('Moving a mountain: 66 %, about 6 s left');
});

test('others get their turn, and a stop breaks it off', async () => {
  const stopping = new AbortController();
  const task = await progress('debug', stopping.signal).begin('Counting sheep', 10);
  const turn = new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
  let had = false;
  void turn.then(() => {
    had = true;
  });
  await task.advance(1);
  expect(had).toBe(true);
  stopping.abort();
  await expect(task.advance(1)).rejects.toBe(stopping.signal.reason);
  expect(() => task.reached(2, 10)).toThrow();
});
