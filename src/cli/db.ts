import type { Command } from './command.ts';
import { backup } from './db-backup.ts';
import { verify } from './db-verify.ts';
import { UsageError } from './usage-error.ts';

const FORMS = `
  cognomen db backup FILE
  cognomen db verify [--repair]`;

const HELP = `Looks after the database, also beside a running server.

Usage:${FORMS}

backup copies a SQLite database, as it is at one moment, to FILE, which must not be there yet. The copy needs no other
file beside it. FILE is as secret as the database: the pepper of the lookups, tokens and all addresses are in it. Until
the copy is whole it is called FILE.PID.part; one that a kill left behind may be deleted. PostgreSQL is backed up by
pg_dump.

verify checks the SQLite file, every association, and the keys by which lookups find it. It tells what is wrong by the
ids of associations, never by addresses.

Options:
  --repair  Makes keys of lookups anew where they are missing or wrong, and deletes those of associations that are gone

Exit status: 0 done, and all is well; 1 failed, or something is wrong; 2 not understood
`;

/** Looks after the database, also beside a running server: copies it, and checks what is in it. */
export const db: Command = {
  name: 'db',
  summary: 'The database: backup, verify; also beside a running server',
  flags: ['repair'],
  help: HELP,
  takesArguments: true,
  async run(line) {
    const [action, ...rest] = line.args;
    const [file = ''] = rest;
    if (action === 'verify' && rest.length === 0) return verify(line);
    const isBackup = action === 'backup' && file !== '' && rest.length === 1;
    if (isBackup && line.flags.size === 0) return backup(line, file);
    throw new UsageError(`db wants one of${FORMS}`);
  },
};
