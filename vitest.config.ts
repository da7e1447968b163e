import { defineConfig } from 'vitest/config';

const WORKERS = 2; // each test has a database of its own, and PostgreSQL wants a core too

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global_setup.ts'],
    pool: 'forks',
    maxWorkers: WORKERS,
    // Against what hangs, not against what is slow: a busy machine must never end a test that goes on.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
