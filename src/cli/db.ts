import type { Command } from './command.ts';
import { copy } from './db-copy.ts';
import { UsageError } from './usage-error.ts';

const FORMS = `
  cognomen db copy --to TARGET`;

const HELP = `Looks after the database.

Usage:${FORMS}
`;

export const db: Command = {
  name: 'db',
  summary: 'The database: copy',
  options: ['to'],
  help: HELP,
  takesArguments: true,
  async run(line) {
    const [action, ...rest] = line.args;
    const { to = [] } = line.own;
    if (action === 'copy' && rest.length === 0 && to.length === 1) return copy(line, to[0] ?? '');
    throw new UsageError(`db wants one of${FORMS}`);
  },
};
