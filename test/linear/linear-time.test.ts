import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, test } from 'vitest';
import { expressionsOf } from './expressions.ts';
import { nearMisses } from './near-misses.ts';

const SRC = path.join(import.meta.dirname, '../../src');
const LENGTH = 20_000;
/** Milliseconds: a step for each pair of characters takes ten times as long, one for each none of them. */
const LIMIT = 40;
/** For all texts of one expression, on a slow machine that does other things meanwhile. */
const PATIENCE = 30_000;

const workers = new Set<Worker>();
afterAll(async () => {
  for (const worker of workers) await worker.terminate();
});

let idle: Worker | undefined;

async function started(): Promise<Worker> {
  const worker = new Worker(path.join(import.meta.dirname, 'worker.js'));
  workers.add(worker);
  await once(worker, 'message');
  return worker;
}

/** The slowest text and its time; undefined when it did not come to an end. */
async function slowest(source: string, flags: string, length: number, milliseconds: number) {
  const worker = idle ?? (await started());
  idle = undefined;
  worker.postMessage({ source, flags, texts: nearMisses(source, flags, length) });
  const patience = AbortSignal.timeout(milliseconds);
  try {
    const [answer] = await once(worker, 'message', { signal: patience });
    idle = worker;
    return answer as { time: number; text: string };
  } catch {
    workers.delete(worker);
    await worker.terminate();
    return undefined;
  }
}

async function isLinear(source: string, flags: string, patience = PATIENCE): Promise<string> {
  // Exponential ones are found on short texts, and would take too long on long ones.
  const short = await slowest(source, flags, 35, patience);
  if (short === undefined || short.time > LIMIT) return `takes for ever on ${short?.text}`;
  const long = await slowest(source, flags, LENGTH, patience);
  if (long === undefined || long.time > LIMIT) return `takes ${long?.time} ms on ${long?.text}`;
  return 'linear';
}

test.each([
  ['^(?:a|a)*b$', ''],
  ['^(?:[A-Za-z0-9_]|[\\p{L}\\p{N}])(?:[A-Za-z0-9_-]|[\\p{L}\\p{N}])*$', 'u'],
  ['(\\w|[a-z])*!', ''],
  ['^\\s+|\\s+$', 'g'],
  ['(a+)+$', ''],
  ['\\S+\\s*$', ''],
  ['%(?:%|\\([^)]*\\)s)?', ''],
])('%s is found out', async (source, flags) => {
  expect(await isLinear(source, flags, 3000)).not.toBe('linear');
});

test('every regular expression takes time in proportion to the text', {
  timeout: 300_000,
}, async () => {
  const { literals } = expressionsOf(SRC);
  expect(literals.length).toBeGreaterThan(100);
  const found: string[] = [];
  for (const { file, source, flags } of literals) {
    const verdict = await isLinear(source, flags);
    if (verdict !== 'linear') found.push(`${file}: /${source}/${flags} ${verdict}`);
  }
  expect(found).toEqual([]);
});

test('expressions that are put together while the program runs are these, which are looked at by hand', () => {
  // From constants: what Python takes for white space, a multipart boundary, an SMTP extension and a token of ours; and
  // an address as it is.
  expect(new Set(expressionsOf(SRC).made)).toEqual(
    new Set([
      'config/parser.ts',
      'delivery/mail/entity.ts',
      'delivery/mail/relay.ts',
      'delivery/reporting.ts',
      'identity/operators/admin-tokens.ts',
    ]),
  );
});
