/** How long others wait while an address book of the largest size is looked up. */
import { hashOf, PEPPER, tokenOf } from './data.ts';
import { V2 } from './works.ts';

const SIZE = 10_000;
const TIMES = 20;

async function ping(url: string): Promise<number> {
  const begin = performance.now();
  await (await fetch(url + V2)).arrayBuffer();
  return performance.now() - begin;
}

/** Milliseconds: the longest that a ping takes longer than usual while such lookups are answered. */
export async function holdUp(url: string, count: number): Promise<number> {
  const body = JSON.stringify({
    addresses: Array.from({ length: SIZE }, (_, i) => hashOf(i % (2 * count))),
    algorithm: 'sha256',
    pepper: PEPPER,
  });
  const headers = { authorization: `Bearer ${tokenOf(20)}` };
  const usual: number[] = [];
  for (let i = 0; i < 100; i++) usual.push(await ping(url));
  const longest: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    let isDone = false;
    const asked = fetch(`${url}${V2}/lookup`, { method: 'POST', headers, body }).then((answer) =>
      answer.arrayBuffer(),
    );
    const done = asked.finally(() => {
      isDone = true;
    });
    let most = 0;
    while (!isDone) most = Math.max(most, await ping(url));
    await done;
    longest.push(most);
  }
  const median = (all: number[]) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? Number.NaN;
  // Of the longest of each lookup the median: what is measured is not how busy this machine is.
  return Math.max(0, median(longest) - median(usual));
}
