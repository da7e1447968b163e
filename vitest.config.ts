import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const WORKERS = 5; // each test has a database of its own; while some wait, others keep two cores busy
const LONG_MS_MAX = 12 * 60 * 60_000; // of a test that tries a law many times: test/support/property.ts

// Programs that tests start compile what they share once: half of what their start costs.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'nightshift-test-compiled');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/db/global_setup.ts'],
    pool: 'forks',
    isolate: false, // nothing replaces modules, and what a file changes of its process it puts back
    maxWorkers: WORKERS,
    // How graphile-worker ends by itself is shown in test/queue/library.test.ts. What it still tries then fails ten
    // seconds later and unheard, while the worker is at another file.
    onUnhandledError: ({ stack }) => !String(stack).includes('graphile-worker/dist/sql/failJobs'),
    // Against what hangs, not against what is slow: a busy machine must never end a test that goes on.
    testTimeout: process.env.NIGHTSHIFT_LONG === '1' ? LONG_MS_MAX : 600_000,
    hookTimeout: 240_000,
  },
});
