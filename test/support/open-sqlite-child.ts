import pino from 'pino';
import { systemClock } from '../../src/platform/clock.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { openSqlite } from '../../src/storage/engines/sqlite/open.ts';

/**
 * Opens, in a process of its own, the SQLite file named as argument. Says `hashing` when the upgrade has
 * come to making the pepper, and `open` when it is done; ends with its standard input.
 */
const random = {
  ...secureRandom,
  alphanumeric: (length: number) => {
    process.stdout.write('hashing\n');
    return secureRandom.alphanumeric(length);
  },
};

const logger = pino({ level: 'silent' });
const opened = await openSqlite(
  { engine: 'sqlite', file: process.argv[2] ?? '', backup: false, exclusive: true },
  {
    logger,
    clock: systemClock,
    random,
    progress: createProgress({ logger, clock: systemClock }),
    serverName: 'id.test',
    pidFile: '',
  },
);
process.stdout.write('open\n');
process.stdin.resume();
process.stdin.on('end', () => opened.close());
