import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { freePort } from './free-port.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from './process.ts';

/** A server of several processes, as an operator would run it. */
export interface ServerOfWorkers extends ServerProcess {
  readonly file: string;
  readonly url: string;
  readonly internalUrl: string;
  readonly metricsUrl: string;
  /** The process ids of the workers that are there by now, as the log tells. */
  workers(): number[];
  /** Resolves with them when there are so many that serve, by its metrics. */
  untilServing(count: number): Promise<number[]>;
  /** Process ids in the log of those who answered requests on that path: it may come later than the answer. */
  answeredBy(path: string): ReadonlySet<number>;
  /** The value of a metric without labels, or the sum over all its labels. */
  metric(name: string): Promise<number>;
}

interface Line {
  readonly pid: number;
  readonly msg: string;
  readonly route?: string;
  readonly workers?: number[];
}

export const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** Kills a worker for good, and waits until it is gone. A process id of 0 would be this process and all beside it. */
export async function killWorker(pid: number | undefined): Promise<number> {
  if (!pid) throw new Error('There is no worker to kill');
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isAlive(pid)).toBe(false);
  return pid;
}

/** Asks on a connection of its own, so that the next worker gets it. */
export async function askAnew(
  url: string,
  { method = 'GET', body, token }: { method?: string; body?: unknown; token?: string } = {},
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted on member by member
): Promise<{ status: number; text: string; json: any }> {
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const asked = request(url, { method, agent: false, headers });
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const answer = await text(response);
  const isJson = response.headers['content-type']?.startsWith('application/json');
  return {
    status: response.statusCode ?? 0,
    text: answer,
    json: isJson ? JSON.parse(answer) : undefined,
  };
}

/** Spawns one, and waits until it is ready. */
export async function startWorkers(
  folder: string,
  sections: Readonly<Record<string, string>> = {},
  options: { readonly workers?: number; readonly env?: Record<string, string> } = {},
): Promise<ServerOfWorkers> {
  const metricsPort = await freePort();
  const { file, url, internalUrl } = await writeConfig(folder, {
    ...sections,
    general: `workers = ${options.workers ?? 2}\nprometheus_addr = 127.0.0.1\nprometheus_port = ${metricsPort}\n${sections['general'] ?? ''}`,
  });
  const server = spawnCognomen([], { cwd: folder, ...(options.env && { env: options.env }) });
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const lines = () =>
    server
      .log()
      .split('\n')
      // The last may be there in part.
      .slice(0, -1)
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line);
  const workers = () => [
    ...new Set(
      lines()
        .map(({ pid }) => pid)
        .filter((pid) => pid !== server.pid && isAlive(pid)),
    ),
  ];
  async function metric(name: string): Promise<number> {
    const { text: all } = await askAnew(metricsUrl);
    const values = [...all.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }
  await server.untilLogged('"Ready"');
  return {
    ...server,
    file,
    url,
    internalUrl,
    metricsUrl,
    workers,
    async untilServing(count) {
      // The metric may count one for a moment that is dead, and lines of the log come over another way.
      const there = async () => [await metric('cognomen_workers').catch(() => 0), workers().length];
      await expect.poll(there).toEqual([count, count]);
      return workers();
    },
    answeredBy: (path) =>
      new Set(
        lines()
          .filter(({ msg, route }) => msg === 'Request' && route === path)
          .map(({ pid }) => pid),
      ),
    metric,
  };
}
