import type { Command } from './command.ts';
import { backup } from './db-backup.ts';
import { copy } from './db-copy.ts';
import { verify } from './db-verify.ts';
import { UsageError } from './usage-error.ts';

const FORMS = `
  cognomen db backup FILE
  cognomen db copy --to TARGET
  cognomen db verify [--repair]`;

const HELP = `Looks after the database: backup and verify also beside a running server.

Usage:${FORMS}

backup copies a SQLite database, as it is at one moment, to FILE, which must not be there yet. The copy needs no other
file beside it. FILE is as secret as the database: the pepper of the lookups, tokens and all addresses are in it. Until
the copy is whole it is called FILE.PID.part; one that a kill left behind may be deleted. PostgreSQL is backed up by
pg_dump.

copy copies the database of the configuration, Sydent's or ours, into an empty one and compares both: TARGET is a URL,
postgres://USER@HOST/DATABASE, or the path of a SQLite file that is not there yet, which is called TARGET.part until it is
whole. No server may run on either. Give the password by PGPASSWORD: what stands on a command line others can read.
Interrupted, the same command goes on where it was; until it is done, no server starts on TARGET.

verify checks the SQLite file, every association, and the keys by which lookups find it. It tells what is wrong by the
ids of associations, never by addresses.

Options:
  --to TARGET  Of copy: where to
  --repair     Of verify: makes keys of lookups anew where they are missing or wrong, and deletes those of associations
               that are gone

Exit status: 0 done, and all is well; 1 failed, or something is wrong; 2 not understood
`;

/** Looks after the database: copies it, and checks what is in it. */
export const db: Command = {
  name: 'db',
  summary: 'The database: backup, copy, verify',
  options: ['to'],
  flags: ['repair'],
  help: HELP,
  takesArguments: true,
  async run(line) {
    const [action, file = '', ...more] = line.args;
    const [to, ...others] = line.own['to'] ?? [];
    const isRepair = line.flags.has('repair');
    if (more.length === 0 && others.length === 0) {
      if (action === 'verify' && file === '' && to === undefined) return verify(line);
      if (action === 'backup' && file !== '' && to === undefined && !isRepair) {
        return backup(line, file);
      }
      if (action === 'copy' && file === '' && to !== undefined && !isRepair) return copy(line, to);
    }
    throw new UsageError(`db wants one of${FORMS}`);
  },
};
