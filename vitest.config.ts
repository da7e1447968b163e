import { defineConfig } from 'vitest/config';

const WORKERS = 2; // each test has a database of its own, and PostgreSQL wants a core too
const LONG_MS_MAX = 12 * 60 * 60_000; // of a test that tries a law many times: test/support/property.ts

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/db/global_setup.ts'],
    pool: 'forks',
    isolate: false,
    maxWorkers: WORKERS,
    // Against what hangs, not against what is slow: a busy machine must never end a test that goes on.
    testTimeout: process.env.NIGHTSHIFT_LONG === '1' ? LONG_MS_MAX : 600_000,
    hookTimeout: 240_000,
  },
});
