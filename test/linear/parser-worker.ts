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

parentPort?.on('message', async ({ index, length }: { index: number; length: number }) => {
  const parser = PARSERS[index];
  if (parser === undefined) throw new Error(`There is no parser ${index}`);
  let slowest = { time: 0, at: -1, text: '' };
  for (const [at, text] of textsFor(parser, length).entries()) {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 3 && best > SOON; run++) {
      best = Math.min(best, await timed(parser.read, text));
    }
    if (best > slowest.time) slowest = { time: best, at, text: text.slice(0, 60) };
  }
  parentPort?.postMessage(slowest);
});
parentPort?.postMessage('ready');
