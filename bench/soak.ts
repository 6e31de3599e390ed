/**
 * A long run under mixed load with faults by chance: `npm run soak`. In the end nothing that was acknowledged may be lost,
 * and the server must hold no more memory, files and handles than after the warm-up.
 */
import { appendFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { checkAll, checkHeld } from './soak/checks.ts';
import { startClients } from './soak/clients.ts';
import { startFaults } from './soak/faults.ts';
import { createLedger, type Ledger } from './soak/ledger.ts';
import { chanceOf } from './soak/random.ts';
import { type EngineName, type Held, startWorld, type World } from './soak/world.ts';

const HELP = `Runs the built server under mixed load, with faults by chance, and looks whether anything is lost.

  npm run soak                       an hour on each engine
    --minutes 10                     so long on each
    --engine sqlite|postgres         only on that
    --workers 2                      in so many workers
    --nodes 2                        on PostgreSQL, by so many nodes, each request to another one
    --seed 7                         the same faults and choices again
    --log FILE                       keeps there what the server logs
`;
const ENGINES: readonly EngineName[] = ['sqlite', 'postgres'];
/** Seconds. */
const WARM_UP = 15;
const CALM = 10;

const { values: given } = parseArgs({
  options: {
    help: { type: 'boolean' },
    minutes: { type: 'string', default: '60' },
    engine: { type: 'string' },
    workers: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    log: { type: 'string' },
  },
});
const begun = performance.now();
const say = (text: string) =>
  void process.stdout.write(
    `${((performance.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}\n`,
  );
const heldText = ({ memory, files, handles }: Held) =>
  `${memory.toFixed(0)} MiB, ${files} files, ${handles} handles`;

/** Under load for a moment, then without. */
async function warmUp(world: World, seed: number): Promise<Held> {
  const ledger = createLedger();
  const clients = startClients(world, ledger, chanceOf(seed + 1), 'warm.test');
  await wait(WARM_UP * 1000);
  await clients.end();
  await wait(CALM * 1000);
  return world.held();
}

function report(
  ledger: Ledger,
  faults: ReadonlyMap<string, number>,
  lines: readonly string[],
): void {
  say('Answers:');
  for (const [name, { count, slowest }] of [...ledger.answers].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )) {
    say(`  ${name.padEnd(50)} ${String(count).padStart(8)}  at most ${Math.round(slowest)} ms`);
  }
  say('Faults:');
  for (const [name, count] of faults) say(`  ${name.padEnd(50)} ${String(count).padStart(8)}`);
  for (const line of lines) say(line);
  for (const problem of ledger.problems) say(`WRONG: ${problem}`);
}

async function soak(engine: EngineName, minutes: number, seed: number): Promise<boolean> {
  const { workers } = size;
  const nodes = engine === 'postgres' ? size.nodes : 1;
  say(`${engine}, ${nodes} nodes of ${workers} workers, ${minutes} minutes, --seed ${seed}`);
  const world = await startWorld(engine, { nodes, workers });
  try {
    const before = await warmUp(world, seed);
    say(`After the warm-up: ${heldText(before)}`);
    const ledger = createLedger();
    const chance = chanceOf(seed);
    const clients = startClients(world, ledger, chanceOf(seed + 2), 'soak.test');
    const faults = startFaults(world, chance, say);
    await wait(minutes * 60_000);
    await faults.end();
    await wait(CALM * 1000);
    await clients.end();
    const lines = await checkAll(world, ledger, clients);
    await wait(CALM * 1000);
    const after = await world.held();
    checkHeld(before, after, world.processes, ledger);
    report(ledger, faults.counts, [
      ...lines,
      `Held after the warm-up: ${heldText(before)}; in the end: ${heldText(after)}`,
    ]);
    return ledger.problems.length === 0;
  } finally {
    if (given.log !== undefined) await appendFile(given.log, world.logs());
    await world.stop();
  }
}

const minutes = Number(given.minutes);
const size = { nodes: Number(given.nodes), workers: Number(given.workers) };
const isWhole = (count: number) => Number.isSafeInteger(count) && count > 0;
const engines = ENGINES.filter((name) => name === (given.engine ?? name));
const seed = given.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(given.seed);
if (given.help) {
  process.stdout.write(HELP);
} else if (
  !(minutes > 0) ||
  engines.length === 0 ||
  !Number.isSafeInteger(seed) ||
  !isWhole(size.nodes) ||
  !isWhole(size.workers)
) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  for (const engine of engines) {
    if (!(await soak(engine, minutes, seed))) process.exitCode = 1;
  }
  say(process.exitCode === 1 ? 'Not all is well' : 'All is well');
}
