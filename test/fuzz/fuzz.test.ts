import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { tryBytes, tryRequest } from './judge.ts';
import { LISTENERS, nonsense, type Route, requestsTo, rightRequestsTo } from './requests.ts';
import { startWorld, type World } from './world.ts';

/** Without `FUZZ_MINUTES`, few requests of which each run makes the same. */
const minutes = Number(process.env['FUZZ_MINUTES'] ?? 0);
const isLong = minutes > 0;
const firstSeed =
  Number(process.env['FUZZ_SEED'] ?? (isLong ? Math.floor(Math.random() * 2 ** 31) : 1)) | 0;
const RUNS = isLong ? 60 : 10;

/** What differs: pages that ask, and those that do not. */
const HTTP = {
  sqlite: 'page.ask_before_validation = true',
  postgres: 'obey_x_forwarded_for = true',
} as const;

const uncaught: unknown[] = [];
const note = (reason: unknown) => void uncaught.push(reason);
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

/** So many requests without a fault are tried until an endpoint takes one: else all others say little. */
const TRIES = 200;

async function isTaken(world: World, route: Route, seed: number): Promise<boolean> {
  for (const request of fc.sample(rightRequestsTo(route), { seed, numRuns: TRIES })) {
    const answer = await tryRequest(world, route, request);
    if (answer !== undefined && answer.status < 400) return true;
  }
  return false;
}

const TAKES_AWAY =
  /\/(casefold|unbind|erase|expire|allow|cancel|drop|remove|delete|logout|revoke)$/;

/** What operators do takes away what others ask for: it comes last. */
async function round(world: World, seed: number): Promise<void> {
  const byListener = (isAdmin: boolean) =>
    world.routes.filter(({ listener }) => (listener === 'admin') === isAdmin);
  await tryAll(world, byListener(false), seed);
  const [others = [], takingAway = []] = [false, true].map((is) =>
    byListener(true).filter(({ path }) => TAKES_AWAY.test(path) === is),
  );
  await tryAll(world, [...others, ...takingAway], seed);
  const sockets = fc.asyncProperty(nonsense, ({ listener, bytes }) =>
    tryBytes(world, listener, bytes),
  );
  await fc.assert(sockets, { seed, numRuns: RUNS * 6 });
  expect(uncaught).toEqual([]);
  expect(await world.isHealthy()).toBe(true);
}

async function tryAll(world: World, routes: readonly Route[], seed: number): Promise<void> {
  for (const route of routes) {
    expect(await isTaken(world, route, seed), `${route.method} ${route.path}`).toBe(true);
  }
  for (const route of routes) {
    const property = fc.asyncProperty(requestsTo(route), async (request) => {
      await tryRequest(world, route, request);
    });
    await fc.assert(property, { seed, numRuns: RUNS });
  }
}

describe.each(ENGINES)('whatever is asked of the server on %s', (engine) => {
  test('it answers in JSON, in time and without a failure of its own, and stores nothing it refuses', {
    timeout: minutes * 60_000 + 600_000,
  }, async () => {
    const until = Date.now() + (minutes * 60_000) / ENGINES.length;
    for (let seed = firstSeed; ; seed++) {
      if (isLong) process.stdout.write(`${engine}: FUZZ_SEED=${seed}\n`);
      const world = await startWorld(engine, HTTP[engine]);
      try {
        expect(Object.keys(world.targets).sort()).toEqual([...LISTENERS].sort());
        await round(world, seed);
      } catch (error) {
        throw new Error(`To repeat it: FUZZ_SEED=${seed} npm run fuzz`, { cause: error });
      } finally {
        await world.stop();
      }
      if (Date.now() > until) break;
    }
  });
});
