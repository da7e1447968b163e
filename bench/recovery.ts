/**
 * How long a job of a killed worker waits: two workers live, the one that runs the job is killed with
 * SIGKILL, and the clock stops when the body begins in the other. Every second one is killed while
 * PostgreSQL works for it, because a statement outlives its client for a moment.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { enqueue } from '../tasks/enqueue.ts';
import { defineTask } from '../tasks/task.ts';
import type { Figure } from './support/bench.ts';
import { quantile } from './support/measure.ts';
import { seeded } from './support/random.ts';
import type { BenchDb, BenchServer } from './support/server.ts';

const PROGRAM = fileURLToPath(new URL('./programs/patient_worker.ts', import.meta.url));
const KILLS = 30;
const SETTLE_MS = 200; // until the statement runs
const BEFORE_KILL_MS = 1_000; // at most: kills come at any moment between two sweeps

const task = defineTask({
  name: 'bench',
  payload: z.strictObject({ job: z.int() }),
  attempts: 5,
  timeoutSeconds: 120,
  run: async () => ({}), // workers have the body
});

export async function benchRecovery(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const random = seeded(2);
  const idle: number[] = [];
  const inStatement: number[] = [];
  await using workers = new AsyncDisposableStack();
  const startOne = async () => workers.adopt(await startWorker(db), end);
  let [first, second] = await Promise.all([startOne(), startOne()]);
  for (let job = 0; job < KILLS; job++) {
    const order = job % 2 === 0 ? 'wait' : 'statement';
    await db.transaction((tx) => enqueue(tx, task, { job }));
    const running = await begun([first, second]);
    const other = running === first ? second : first;
    running.send(order);
    await sleep(SETTLE_MS + random.whole(BEFORE_KILL_MS));
    const killedAt = performance.now();
    running.kill('SIGKILL');
    await begun([other]);
    (order === 'wait' ? idle : inStatement).push(performance.now() - killedAt);
    other.send('end');
    [first, second] = [other, await startOne()];
  }
  const all = [...idle, ...inStatement];
  return [
    { name: 'kills', value: all.length, unit: 'kills' },
    { name: 'kill -9 to running elsewhere, p50', value: quantile(all, 0.5), unit: 'ms' },
    {
      name: 'kill -9 to running elsewhere, p99',
      value: quantile(all, 0.99),
      unit: 'ms',
      bar: { below: 2_000 },
    },
    { name: 'the same without a running statement, p50', value: quantile(idle, 0.5), unit: 'ms' },
    { name: 'the same in a running statement, p50', value: quantile(inStatement, 0.5), unit: 'ms' },
  ];
}

async function startWorker({ url }: BenchDb): Promise<ChildProcess> {
  const worker = fork(PROGRAM, [url]);
  await once(worker, 'message');
  return worker;
}

/** The worker in which the next body begins. */
function begun(workers: readonly ChildProcess[]): Promise<ChildProcess> {
  return Promise.race(workers.map((worker) => once(worker, 'message').then(() => worker)));
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exit = once(worker, 'exit');
  worker.kill('SIGKILL');
  await exit;
}
