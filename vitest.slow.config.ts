import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** What takes too long to run at each change: kills, loads, long waits. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [], exclude: [] } },
  defineConfig({
    test: { include: ['test/slow/**/*.test.ts'], testTimeout: 180_000, maxWorkers: 1 },
  }),
);
