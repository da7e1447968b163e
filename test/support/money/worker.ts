/** bin/worker.ts in a process of its own, to be killed on its way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestDb } from '../db/db.ts';
import { bareEnv } from '../program.ts';
import { TEST_KEYS } from '../rows/factory.ts';

const PROGRAM = join(import.meta.dirname, '../../../bin/worker.ts');

/** Runs until `kill` or the end of its scope, both of which leave it no time for anything. */
export function aRealWorker(db: Pick<TestDb, 'url'>) {
  const child = spawn(process.execPath, [PROGRAM], {
    env: {
      ...{ ...bareEnv, DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
      ...{ NIGHTSHIFT_DATA_DIR: tmpdir(), NIGHTSHIFT_LOG_LEVEL: 'error' },
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { child, kill, [Symbol.asyncDispose]: kill };
}
