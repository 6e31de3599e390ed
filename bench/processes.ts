/** The processes of a run: the server, the bare one, the mail relay and the load, each on its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Dealt out to the connections, which begin anew when they are done. */
  readonly requests: readonly Request[];
  /** Bytes that each answer must have: a wrong answer is no answer. */
  readonly length?: number | undefined;
}

export interface LoadResult {
  /** Answers with 2xx a second. */
  readonly rate: number;
  readonly answered: number;
  /** Answers of another status or length, and connections that broke. */
  readonly failed: number;
  /** Milliseconds. */
  readonly median: number;
  readonly slowest: number;
}

export interface Program {
  readonly child: ChildProcess;
  readonly url: string;
  stop(): Promise<void>;
}

const here = (name: string) => path.join(import.meta.dirname, name);

/** Where programs can be kept to one processor, so that one core is compared with one core. */
const canPin = (() => {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Runs Node on that processor. */
export function runNode(
  core: 0 | 1,
  args: readonly string[],
  more: { ipc?: boolean; env?: Readonly<Record<string, string>> } = {},
) {
  const [command = '', ...rest] = [
    ...(canPin ? ['taskset', '-c', String(core)] : []),
    process.execPath,
    ...args,
  ];
  return spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe', ...(more.ipc ? (['ipc'] as const) : [])],
    env: { ...process.env, ...more.env },
  });
}

export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function startSmall(name: string, core: 0 | 1): Promise<Program> {
  const child = runNode(core, [here(name)]);
  const [port] = await once(child.stdout as NodeJS.ReadableStream, 'data');
  return { child, url: `http://127.0.0.1:${Number(port)}`, stop: () => stop(child) };
}

export const startBare = () => startSmall('bare.ts', 0);
export const startRelay = () => startSmall('relay.ts', 1);

export interface LoadGenerator {
  run(load: Load): Promise<LoadResult>;
  stop(): Promise<void>;
}

export function startLoad(): LoadGenerator {
  const child = runNode(1, [here('load.ts')], { ipc: true });
  child.stderr?.pipe(process.stderr);
  const ended = new AbortController();
  child.once('exit', () => ended.abort(new Error('The load ended')));
  return {
    async run(load) {
      const answered = once(child, 'message', { signal: ended.signal });
      child.send(load);
      const [result] = await answered;
      return result as LoadResult;
    },
    stop: () => stop(child, 'SIGKILL'),
  };
}

export interface ServerProgram extends Program {
  readonly internalUrl: string;
  /** Milliseconds from the start of the process to the first answer. */
  readonly startTime: number;
}

const MAIN = path.join(import.meta.dirname, '../dist/main.js');
/** As the package's unit and the image have it (docs/performance.md, Memory). */
const PACKAGED = { NODE_OPTIONS: '--max-semi-space-size=2', MALLOC_ARENA_MAX: '2' };

/** Starts the built server as an operator would, and waits for its first answer. */
export async function startServer(options: {
  readonly config: string;
  readonly port: number;
  readonly internalPort: number;
  /** Flags of Node. */
  readonly flags?: readonly string[];
}): Promise<ServerProgram> {
  const begin = performance.now();
  const child = runNode(0, [...(options.flags ?? []), MAIN, 'serve', '-c', options.config], {
    env: PACKAGED,
  });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk).slice(-10_000);
  });
  child.stdout?.resume();
  const url = `http://127.0.0.1:${options.port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`The server did not start:\n${log}`);
    const answer = await fetch(`${url}/_matrix/identity/v2`).catch(() => undefined);
    if (answer?.ok) break;
    await wait(5);
  }
  return {
    child,
    url,
    internalUrl: `http://127.0.0.1:${options.internalPort}`,
    startTime: performance.now() - begin,
    stop: () => stop(child),
  };
}

/** MiB of memory that the process has: now and at most; undefined where the system does not tell. */
export function memoryOf({
  pid,
}: Pick<ChildProcess, 'pid'>): { now: number; most: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mib = (name: string) => Number(new RegExp(`${name}:\\s*(\\d+)`).exec(status)?.[1]) / 1024;
    return { now: mib('VmRSS'), most: mib('VmHWM') };
  } catch {
    return undefined;
  }
}

/** Seconds of processor time that the process has used; undefined where the system does not tell. */
export function processorTimeOf({ pid }: ChildProcess): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}
