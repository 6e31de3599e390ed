// Runs one parser on texts of a length, and says how long the slowest took.
import { parentPort } from 'node:worker_threads';
import { textsFor } from './parser-texts.ts';
import { PARSERS } from './parsers.ts';

/** Milliseconds of this thread alone: the machine may be busy. */
function used(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function timed(read: (text: string) => unknown, text: string): Promise<number> {
  const began = used();
  try {
    await read(text);
  } catch {
    // Most texts are none that it takes.
  }
  return used() - began;
}

/** What takes longer than this is tried again: another thread's garbage may have been collected. */
const SOON = 3;
/** Milliseconds that the runs of one text take together: the clock may go forward in steps of 4. */
const LONG_ENOUGH = 200;

/** The time of a run, from as many as make the clock's steps small; the first ones compile the function. */
async function timedWell(read: (text: string) => unknown, text: string): Promise<number> {
  for (let run = 0; run < 2; run++) await timed(read, text);
  let [total, runs] = [0, 0];
  for (; total < LONG_ENOUGH; runs++) total += await timed(read, text);
  return total / runs;
}

export interface Asked {
  readonly index: number;
  /** Characters of the text. */
  readonly length: number;
  /** One text by its place, to be timed well; all texts, each timed once or a few times, without it. */
  readonly at?: number;
}

export interface Slowest {
  /** Milliseconds. */
  readonly time: number;
  readonly at: number;
  /** The text's beginning. */
  readonly text: string;
}

parentPort?.on('message', async ({ index, length, at }: Asked) => {
  const parser = PARSERS[index];
  if (parser === undefined) throw new Error(`There is no parser ${index}`);
  const texts = textsFor(parser, length);
  let slowest: Slowest = { time: 0, at: -1, text: '' };
  if (at === undefined) {
    for (const [place, text] of texts.entries()) {
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 3 && best > SOON; run++) {
        best = Math.min(best, await timed(parser.read, text));
      }
      if (best > slowest.time) slowest = { time: best, at: place, text: text.slice(0, 60) };
    }
  } else {
    const text = texts[at] ?? '';
    slowest = { time: await timedWell(parser.read, text), at, text: text.slice(0, 60) };
  }
  parentPort?.postMessage(slowest);
});
parentPort?.postMessage('ready');
