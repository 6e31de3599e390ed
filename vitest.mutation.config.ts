import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** Kill, load and race for long, or start other programs: mutants of the domain are found by the others. */
const SLOW = [
  'asking-limits',
  'hostile-requests',
  'lookup-limits',
  'main-job',
  'one-send-at-a-time',
  'overload',
  'pending-limits',
  'slow-connections',
  'taken-back',
  'token-cap',
];

const QUICK = [
  'test/{identity,model,signing}/**/*.test.ts',
  'test/homeservers/x-matrix.test.ts',
  'test/storage/{invitation-quota,query-plans,transactions}.test.ts',
];
/** These boot a server each. */
const API = ['test/api/**/*.test.ts', 'test/storage/sydent-data.test.ts'];

/**
 * The tests that mutants have to get past (`npm run mutation`), on SQLite alone: those that are done in a moment,
 * and with `MUTATION_TESTS=all` the quicker ones of the API.
 */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [], exclude: [], globalSetup: [] } },
  defineConfig({
    test: {
      include: process.env['MUTATION_TESTS'] === 'all' ? [...QUICK, ...API] : QUICK,
      exclude: SLOW.map((name) => `test/api/${name}.test.ts`),
      env: { TEST_ENGINES: 'sqlite' },
      // With mutants in it the code is slower: nothing that measures time or fills memory.
      testNamePattern: /^(?!.*(?:takes no longer|all day|5,000 users|as long as they get))/,
      testTimeout: 120_000,
    },
  }),
);
