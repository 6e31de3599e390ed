import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';

const SOAK = fileURLToPath(new URL('../../bench/soak.ts', import.meta.url));

// The same faults each time; `npm run soak` has others, and goes on for an hour.
test.each(ENGINES)(
  'half a minute of mixed load with faults loses nothing, on %s',
  async (engine) => {
    const args = [SOAK, '--engine', engine, '--minutes', '0.5', '--seed', '3'];
    const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error);
    expect(stdout).toMatch(/All is well\n$/);
  },
  600_000,
);
