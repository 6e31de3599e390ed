import pino from 'pino';
import { readConfig } from '../config/load.ts';
import { systemClock } from '../platform/clock.ts';
import { hostNames } from '../platform/hostname.ts';
import { createProgress, type Progress } from '../platform/progress.ts';
import { backUp } from '../storage/backup.ts';
import type { Command, CommandLine } from './command.ts';
import { orReportFailure } from './report-failure.ts';
import { stopSignals } from './stop-signals.ts';
import { UsageError } from './usage-error.ts';

const FORMS = `
  cognomen db backup FILE`;

const HELP = `Looks after the database, also beside a running server.

Usage:${FORMS}

backup copies a SQLite database, as it is at one moment, to FILE, which must not be there yet. The copy needs no other
file beside it. FILE is as secret as the database: the pepper of the lookups, tokens and all addresses are in it. Until
the copy is whole it is called FILE.PID.part; one that a kill left behind may be deleted. PostgreSQL is backed up by
pg_dump.

Exit status: 0 done, 1 failed, 2 not understood
`;

/** Tells on standard error how far long work is; SIGTERM and SIGINT break it off. */
function progressOnTerminal(): Progress {
  const logger = pino({ enabled: false });
  const signal = stopSignals(logger, () => undefined);
  const terminal = (line: string) => void process.stderr.write(`${line}\n`);
  return createProgress({ logger, clock: systemClock, signal, terminal });
}

async function backup(line: CommandLine, file: string): Promise<number> {
  const done = await orReportFailure(async () => {
    const { config } = await readConfig(line.config, { env: process.env, ...hostNames() });
    await backUp(config.db, file, progressOnTerminal());
    process.stdout.write(`${file} is a copy of the database, and as secret\n`);
    return true;
  });
  return done ? 0 : 1;
}

/** Looks after the database, also beside a running server: copies it. */
export const db: Command = {
  name: 'db',
  summary: 'The database: copy it beside a running server',
  help: HELP,
  takesArguments: true,
  async run(line) {
    const [action, ...rest] = line.args;
    const [file = ''] = rest;
    if (action === 'backup' && file !== '' && rest.length === 1) return backup(line, file);
    throw new UsageError(`db wants one of${FORMS}`);
  },
};
