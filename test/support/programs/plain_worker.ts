/**
 * graphile-worker as it comes, with the tasks `effect` and `payment`: node plain_worker.ts <url> <drain|batch> [concurrency].
 * `batch` turns completion in batches on. Says what queue_worker.ts says.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, run } from 'graphile-worker';
import pg from 'pg';
import { PAY } from '../faults/tasks.ts';

const [, , url = '', mode, concurrency = '4'] = process.argv;
const pgPool = new pg.Pool({ connectionString: url, max: Number(concurrency) + 4 });
pgPool.on('error', () => {});
pgPool.on('connect', (client) => client.on('error', () => {}));
const runner = await run({
  pgPool,
  concurrency: Number(concurrency),
  pollInterval: 100,
  parsedCronItems: [],
  logger: new Logger(() => () => {}),
  preset: { worker: mode === 'batch' ? { completeJobBatchDelay: 0, failJobBatchDelay: 0 } : {} },
  taskList: {
    async effect(payload, { query }) {
      const { label, ms = 0, endUntil } = Object(payload);
      console.log(`begun ${label}`);
      await sleep(ms / 2);
      await query('insert into public.effects (label) values ($1)', [label]);
      await sleep(ms / 2);
      while (endUntil !== undefined && !existsSync(endUntil)) await sleep(10);
    },
    async payment(payload, { query }) {
      const { label, ms } = Object(payload);
      console.log(`begun ${label}`);
      await sleep(ms / 2);
      await query(PAY, [label]);
      await sleep(ms / 2);
    },
  },
});
console.log('ready');
await runner.promise;
process.exit();
