/**
 * A worker that only syncs, for measuring it by itself: node sync_worker.ts <url>, with the keys in
 * NIGHTSHIFT_SECRET_KEYS. It tells its parent how much memory and processor time it takes, many times a second.
 */

import { makeKeyring } from '../../connectors/providers.ts';
import { readConfig } from '../../runtime/config.ts';
import { makeLog } from '../../runtime/log.ts';
import { sealer } from '../../sql/tenants/secrets.ts';
import { syncConnection } from '../../tasks/sync_connection.ts';
import { syncStream } from '../../tasks/sync_stream.ts';
import type { Task } from '../../tasks/task.ts';
import { startWorker } from '../../workers/queue/worker.ts';

const SAMPLE_MS = 100;

const [, , url = ''] = process.argv;
const { secretKeys, concurrency } = readConfig(process.env);
const worker = await startWorker({
  url,
  concurrency,
  drainSeconds: 10,
  log: makeLog('warn', 'sync'),
  tasks: [syncConnection as unknown as Task, syncStream as unknown as Task],
  services: { ...makeKeyring(sealer(secretKeys), []), ecbUrl: 'http://127.0.0.1:9' },
});
const sampling = setInterval(() => {
  const { user, system } = process.cpuUsage();
  if (process.connected) process.send?.({ rssBytes: process.memoryUsage.rss(), cpuMicros: user + system });
}, SAMPLE_MS);
process.once('disconnect', () => void worker.stop());
await worker.stopped;
clearInterval(sampling);
