/**
 * A worker whose jobs do what their parent process tells them: node patient_worker.ts <url>. Each says
 * that it has begun and is answered with `wait` (in our process), `statement` (in PostgreSQL) or `end`.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { makeLog } from '../../runtime/log.ts';
import { defineTask, type Services, type Task } from '../../tasks/task.ts';
import { startWorker } from '../../workers/queue/worker.ts';

const PATIENCE_MS = 60_000;

const patient = defineTask({
  name: 'bench',
  payload: z.strictObject({ job: z.int() }),
  attempts: 5,
  timeoutSeconds: 120,
  async run({ job }, { db, signal }) {
    process.send?.({ begun: job });
    const [order] = await once(process, 'message', { signal });
    if (order === 'wait') await sleep(PATIENCE_MS, undefined, { signal });
    if (order === 'statement')
      await db.transaction((tx) => tx.query('select pg_sleep($1)', [PATIENCE_MS / 1_000]));
    return { job };
  },
});

const [, , url = ''] = process.argv;
const worker = await startWorker({
  url,
  concurrency: 1,
  drainSeconds: 1,
  log: makeLog('silent', 'bench'),
  tasks: [patient as unknown as Task],
  services: { allowedHosts: [] } as unknown as Services,
});
process.send?.({ ready: true });
process.once('disconnect', () => void worker.stop());
await worker.stopped;
