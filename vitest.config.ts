import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/slow/**'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/properties.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Long enough for a machine that is busy with other tests.
    expect: { poll: { timeout: 15_000 } },
    // Each file boots real servers and databases; two cores want no more than that many at once.
    maxWorkers: 2,
  },
});
