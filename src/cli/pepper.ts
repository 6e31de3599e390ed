import { setTimeout as wait } from 'node:timers/promises';
import { rehash } from '../identity/peppers/rehash.ts';
import { beginRotation, completeRotation } from '../identity/peppers/rotation.ts';
import { isClaimed, workOn } from '../identity/peppers/rotation-work.ts';
import { stopwatch, systemClock } from '../platform/clock.ts';
import { createLeases } from '../platform/leases.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { secureRandom } from '../platform/random.ts';
import type { Command, CommandLine } from './command.ts';
import { terminalProgress } from './terminal-progress.ts';
import { UsageError } from './usage-error.ts';
import { type OpenDatabase, withDatabase } from './with-database.ts';

const FORMS = `
  cognomen pepper rotate
  cognomen pepper status [--json]`;

const HELP = `The pepper by which clients hash the addresses that they look up, also beside a running server.

Usage:${FORMS}

  rotate  Make a new pepper, hash all keys of lookups with it, and then announce it; the one before it goes on working
          for [lookup_pepper] grace_hours. A running server does the work, else this command; one that was interrupted
          goes on. Up to three former peppers work at a time; with more, rotate says when it is possible again
  status  The pepper in force, how far a rotation is, and when former peppers end

Options:
  --json  Of status: as JSON

Exit status: 0 done, 1 failed, 2 not understood
`;

/** Milliseconds in which a running server takes up the work. */
const TAKEN_UP = 6000;
const LOOKS = 250;

const say = (text: string) => process.stdout.write(`${text}\n`);
const time = (ms: number) => new Date(ms).toISOString();

/** The pepper of that number. @throws OperatorError where hashing_metadata has none */
async function pepperOf(
  { storage }: OpenDatabase,
  { pepper }: { readonly pepper?: string | undefined },
): Promise<string> {
  const text = pepper ?? (await storage.stores.verification.pepper());
  if (text !== undefined) return text;
  throw new OperatorError('The database has no pepper yet; start the server once first');
}

async function status(database: OpenDatabase, asJson: boolean): Promise<void> {
  const { stores } = database.storage;
  const { current, next, former } = await stores.peppers.read();
  const now = systemClock.now();
  const works = former.filter(({ until }) => until > now);
  const known = {
    phase: next !== undefined ? 'rotating' : works.length > 0 ? 'grace' : 'settled',
    lookup_pepper: await pepperOf(database, current),
    since: current.since === undefined ? undefined : time(current.since),
    alt_lookup_peppers: await Promise.all(
      works.map(async (each) => ({
        lookup_pepper: await pepperOf(database, each),
        until: time(each.until),
      })),
    ),
    rotation: next && {
      begun: time(next.begun),
      percent: (await workOn(stores.state, next.number))?.percent ?? 0,
    },
  };
  if (asJson) return void say(JSON.stringify(known, null, 2));
  say(`in force  ${known.lookup_pepper}  since ${known.since ?? 'before it was first rotated'}`);
  for (const each of known.alt_lookup_peppers) {
    say(`former    ${each.lookup_pepper}  until ${each.until}`);
  }
  if (known.rotation) say(`rotating  ${known.rotation.percent} %  since ${known.rotation.begun}`);
}

async function rotate(database: OpenDatabase): Promise<void> {
  const { config, storage } = database;
  const { stores } = storage;
  await pepperOf(database, {});
  const begun = await beginRotation(storage, { clock: systemClock, random: secureRandom });
  if (begun.outcome === 'too-many') {
    throw new OperatorError(
      `Three former peppers work still, and there may be no more; the next rotation is possible from ${time(begun.until)} on`,
    );
  }
  if (begun.outcome === 'older-nodes') {
    throw new OperatorError(
      'Nodes of a version that knows one pepper only use the database: upgrade all of them first',
    );
  }
  if (begun.outcome === 'under-way') say('A rotation is under way already; this one goes on');
  const progress = terminalProgress();
  const task = await progress.begin('Rotating the pepper (per cent)', 100);
  const leases = createLeases({ clock: systemClock, random: secureRandom });
  let unclaimed = stopwatch();
  for (;;) {
    const { current, former } = await stores.peppers.read();
    if (current.number >= begun.number) {
      task.end();
      say(`in force  ${current.pepper}`);
      const [before] = former;
      if (before) say(`former    ${await pepperOf(database, before)}  until ${time(before.until)}`);
      return;
    }
    const work = await workOn(stores.state, begun.number);
    if (isClaimed(work, leases.lease(0))) unclaimed = stopwatch();
    task.reached(work?.percent ?? 0, 100);
    if (unclaimed() > TAKEN_UP) {
      await rehash({ storage, leases, progress });
      await completeRotation(storage, systemClock, config.lookupPepper.grace);
      unclaimed = stopwatch();
    } else {
      await wait(LOOKS);
    }
  }
}

/** What the command line asks for. @throws UsageError */
function wanted({ args, flags }: CommandLine): (database: OpenDatabase) => Promise<void> {
  const [action, ...more] = args;
  if (more.length === 0) {
    if (action === 'status') return (database) => status(database, flags.has('json'));
    if (action === 'rotate' && flags.size === 0) return rotate;
  }
  throw new UsageError(`pepper wants one of${FORMS}`);
}

/** Looks after the pepper of lookups. */
export const pepper: Command = {
  name: 'pepper',
  summary: 'The pepper of lookups: rotate, status',
  flags: ['json'],
  help: HELP,
  takesArguments: true,
  async run(line) {
    const perform = wanted(line);
    return withDatabase(line, async (database) => {
      await perform(database);
      return 0;
    });
  },
};
