import { readFileSync } from 'node:fs';
import { readConfigWithKey } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { readPidFile } from '../platform/pid-file.ts';
import type { Command } from './command.ts';
import { orReportFailure } from './report-failure.ts';

const HELP = `Let a running server take the configuration as it is by now, without refusing a connection: each of its workers is
replaced by a new one, one after the other. Takes [general] workers = 2 or more.

Usage: cognomen reload

The configuration is checked first; a faulty one changes nothing. What [db] says, server.name, pidfile.path, log.path, and
whether there are workers at all, take a restart. The log tells when it is done: "Reloaded".

Exit status: 0 the server was told, 1 it was not, 2 not understood
`;

/** The number of the signal in the mask of /proc/PID/status, of which the lowest bit is signal 1. */
const SIGUSR2 = 12n;

/** Whether the process lives and does something on SIGUSR2: any other would be ended by it. Unknown: it may. */
function obeys(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
    return ((BigInt(`0x${caught}`) >> (SIGUSR2 - 1n)) & 1n) === 1n;
  } catch (error) {
    // Other systems have no such file.
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

async function tellServer(files: readonly string[]): Promise<string> {
  const { config } = await readConfigWithKey(files, surroundings());
  const { pidFile, workers } = config.general;
  if (workers === 1) {
    throw new OperatorError(
      `${files.join(', ')} has [general] workers = 1: one process cannot take its own place. Restart the server; SIGHUP is enough for the log, the terms, certificates and signing keys`,
    );
  }
  if (pidFile === '') {
    throw new OperatorError(
      '[general] pidfile.path is empty, so nothing tells which process to reload: kill -USR2 it yourself',
    );
  }
  const pid = readPidFile(pidFile);
  if (pid === undefined || !obeys(pid)) {
    throw new OperatorError(
      `No server runs by the pid file ${pidFile}${pid === undefined ? ', which is not there or holds no process id' : `: process ${pid} is none`}`,
    );
  }
  process.kill(pid, 'SIGUSR2');
  return `Process ${pid} was told to replace its workers; its log says when it is done`;
}

/** Tells a running server to replace its workers. */
export const reload: Command = {
  name: 'reload',
  summary: 'Let a running server with several workers take the configuration anew',
  help: HELP,
  async run({ config: files }) {
    const told = await orReportFailure(() => tellServer(files));
    if (told === undefined) return 1;
    process.stdout.write(`${told}\n`);
    return 0;
  },
};
