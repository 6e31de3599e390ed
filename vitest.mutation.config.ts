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

/** The tests that mutants have to get past (`npm run mutation`): on SQLite alone, and the quick ones. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [], exclude: [], globalSetup: [] } },
  defineConfig({
    test: {
      include: [
        'test/{api,identity,model,signing}/**/*.test.ts',
        'test/homeservers/x-matrix.test.ts',
        'test/storage/{invitation-room,query-plans,sydent-data}.test.ts',
      ],
      exclude: SLOW.map((name) => `test/api/${name}.test.ts`),
      env: { TEST_ENGINES: 'sqlite' },
    },
  }),
);
