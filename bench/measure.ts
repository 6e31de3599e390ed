/** One work, measured against the bare server in the same run. */
import {
  type LoadGenerator,
  type LoadResult,
  type Program,
  processorTimeOf,
  type Request,
  type ServerProgram,
} from './processes.ts';
import type { Work } from './works.ts';

export interface Measured {
  readonly work: string;
  /** Of the server's rate to the bare one's, the median of the rounds; and what is to be reached. */
  readonly ratio: number;
  readonly reach: number | undefined;
  /** Answers a second. */
  readonly rate: number;
  readonly bareRate: number;
  /** Milliseconds. */
  readonly median: number;
  readonly slowest: number;
  /** Microseconds of the server's processor time for each answer. */
  readonly processor: number | undefined;
}

export interface Measuring {
  readonly bare: Program;
  readonly load: LoadGenerator;
  readonly connections: number;
  /** Seconds of each of them. */
  readonly seconds: number;
  readonly rounds: number;
}

/** More than any server does a second of what can be done once only. */
const MOST_WRITES = 6000;
/** Seconds before each work: what V8 has not compiled yet takes twice as long. */
const WARM_UP = 2;

const medianOf = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** The answer to a request by itself: what is measured must be the right one. */
async function check(url: string, request: Request, answer: object | undefined): Promise<number> {
  const { method, headers, body } = request;
  const got = await fetch(url + request.path, { method, headers, ...(body ? { body } : {}) });
  const text = await got.text();
  const expected = answer === undefined ? undefined : JSON.stringify(answer).length;
  if (got.status !== 200 || (expected !== undefined && text.length !== expected)) {
    throw new Error(`${method} ${request.path} answered ${got.status} ${text.slice(0, 300)}`);
  }
  return Buffer.byteLength(text);
}

function requireAll(work: string, result: LoadResult): LoadResult {
  if (result.failed > 0) {
    throw new Error(`${work}: ${result.failed} answers were not the right ones`);
  }
  if (result.answered === 0) throw new Error(`${work}: no answer came in that time: --seconds`);
  return result;
}

/** @throws Error when an answer is not the right one. */
export async function measure(
  work: Work,
  server: Pick<ServerProgram, 'url' | 'internalUrl'> & Partial<Program>,
  options: Measuring & { readonly count: number; readonly reach: number | undefined },
): Promise<Measured> {
  const { bare, load, connections, seconds, rounds, count, reach } = options;
  const url = work.listener === 'internal' ? server.internalUrl : server.url;
  const all = work.requests(count, Math.ceil(MOST_WRITES * (WARM_UP + seconds * rounds)));
  const first = all[0];
  if (first === undefined) throw new Error(`${work.name} has no requests`);
  const length = await check(url, first, work.answer?.(count));
  const once = work.once ?? false;
  const each = once ? all.slice(1) : all;
  const spent = once ? Math.floor((each.length * WARM_UP) / (WARM_UP + seconds * rounds)) : 0;
  const requests = each.slice(spent);
  const common = { connections };
  const bareLoad = { ...common, url: bare.url, requests: requests.slice(0, 4096) };
  await load.run({ ...bareLoad, seconds: WARM_UP });
  const warming = once ? each.slice(0, spent) : each;
  await load.run({ ...common, url, requests: warming, seconds: WARM_UP });

  const ratios: number[] = [];
  const results: LoadResult[] = [];
  const bareRates: number[] = [];
  let processor = 0;
  for (let round = 0; round < rounds; round++) {
    const { rate } = await load.run({ ...bareLoad, seconds });
    const share = Math.floor(requests.length / rounds);
    const own = once ? requests.slice(round * share, (round + 1) * share) : requests;
    const before = server.child && processorTimeOf(server.child);
    const result = requireAll(
      work.name,
      await load.run({
        ...common,
        url,
        seconds,
        requests: own,
        length: work.answer === undefined ? undefined : length,
      }),
    );
    const after = server.child && processorTimeOf(server.child);
    if (once && result.answered > own.length) {
      throw new Error(`${work.name} was done again: there were too few requests`);
    }
    processor += ((after ?? Number.NaN) - (before ?? Number.NaN)) / result.answered / rounds;
    ratios.push(result.rate / rate);
    bareRates.push(rate);
    results.push(result);
  }
  return {
    work: work.name,
    ratio: medianOf(ratios),
    reach,
    rate: medianOf(results.map((result) => result.rate)),
    bareRate: medianOf(bareRates),
    median: medianOf(results.map((result) => result.median)),
    slowest: Math.max(...results.map((result) => result.slowest)),
    processor: Number.isNaN(processor) ? undefined : Math.round(processor * 1e6),
  };
}
