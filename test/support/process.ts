import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { renderConfig, SERVER_NAME, SIGNING_KEY } from './server.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything it wrote to standard error so far. */
  readonly log: () => string;
  /** Resolves when the log holds the text; rejects when the process ends first. */
  untilLogged(text: string): Promise<void>;
  /** Sends the signal and waits for the end; the exit status, or the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | string | null>;
  /** Waits for the end. */
  readonly ended: Promise<number | string | null>;
}

/** The process ids of a process's children: of a server's workers. */
export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** Runs the built program as an operator would. */
export function spawnCognomen(
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): ServerProcess {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const collect = (chunk: Buffer) => {
    log += chunk;
    child.emit('logged');
  };
  child.stderr?.on('data', collect);
  child.stdout?.on('data', collect);
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  return {
    child,
    pid: child.pid ?? 0,
    log: () => log,
    ended,
    untilLogged: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (log.includes(text)) resolve();
        };
        child.on('logged', check);
        check();
        ended.then(() => reject(new Error(`It ended without logging ${text}:\n${log}`)));
      }),
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

export interface ProcessPorts {
  readonly client: number;
  readonly internal: number;
}

/** Writes a configuration for a spawned server into the folder. */
export async function writeConfig(
  folder: string,
  sections: Readonly<Record<string, string>> = {},
  serverName = SERVER_NAME,
): Promise<{ file: string; ports: ProcessPorts; url: string; internalUrl: string }> {
  const ports = { client: await freePort(), internal: await freePort() };
  const file = path.join(folder, 'sydent.conf');
  await writeFile(
    file,
    renderConfig({
      ...sections,
      general: `server.name = ${serverName}\n${sections['general'] ?? ''}`,
      db: sections['db'] ?? '',
      http: `clientapi.http.bind_address = 127.0.0.1\nclientapi.http.port = ${ports.client}\ninternalapi.http.bind_address = 127.0.0.1\ninternalapi.http.port = ${ports.internal}\nclient_http_base = https://id.test\n${sections['http'] ?? ''}`,
      email: sections['email'] ?? '',
      crypto: sections['crypto'] ?? `ed25519.signingkey = ${SIGNING_KEY}`,
    }),
  );
  return {
    file,
    ports,
    url: `http://127.0.0.1:${ports.client}`,
    internalUrl: `http://127.0.0.1:${ports.internal}`,
  };
}
