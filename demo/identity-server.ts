import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Cognomen in a process of its own, so that it can be killed. */
export interface IdentityServer {
  /** Resolves once it answers. */
  start(): Promise<void>;
  /** As `kill -9` does: it cannot tidy up. */
  kill(): Promise<void>;
  /** A token for the operators' console. */
  consoleToken(): Promise<string>;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** @param onLine called with what it logs, in words */
export function identityServer(configFile: string, onLine: (line: string) => void): IdentityServer {
  let child: ChildProcess | undefined;
  return {
    async start() {
      const started = spawn(process.execPath, [MAIN, '--config', configFile], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child = started;
      const said: string[] = [];
      const ready = Promise.withResolvers<void>();
      const lines = createInterface({ input: started.stderr });
      lines.on('line', (line) => {
        said.push(line);
        const text = messageOf(line);
        if (text === undefined) return;
        if (text.startsWith('Ready')) ready.resolve();
        onLine(text);
      });
      const ended = once(started, 'exit').then(() => {
        throw new Error(`The identity server did not start:\n${said.join('\n')}`);
      });
      await Promise.race([ready.promise, ended]);
      ended.catch(() => {});
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    async consoleToken() {
      const create = ['admin-token', 'create', '--role', 'operator', '--name', 'demo', '--json'];
      const { stdout } = await promisify(execFile)(process.execPath, [
        ...[MAIN, ...create],
        ...['--config', configFile],
      ]);
      return (JSON.parse(stdout) as { token: string }).token;
    },
  };
}

/** Without requests, which the page shows by itself, and warnings about what is only so in a demo. */
function messageOf(line: string): string | undefined {
  try {
    const { level, msg } = JSON.parse(line) as { level?: string; msg?: string };
    return level === 'info' &&
      msg !== undefined &&
      !/^(?:Request|Database migration done)$/.test(msg)
      ? msg
      : undefined;
  } catch {
    return undefined;
  }
}
