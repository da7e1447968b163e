/** A worker that proves snapshots of a store in a directory: node drill_worker.ts <url> <directory>. Says when it is ready. */
import { makeLog } from '#runtime/log.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { snapshotDrill } from '#tasks/snapshots/drill/snapshot_drill.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import { startWorker } from '#workers/queue/worker.ts';
import { testServices } from '../run.ts';

const [, , url = '', dir = ''] = process.argv;
const stop = stopSignal();
const snapshots = { url, store: localStore(dir), minutes: 5, rate: 0 };
const worker = await startWorker({
  ...{ url, concurrency: 2, drainSeconds: 5, stallSeconds: 0 },
  ...{ log: makeLog('silent', 'worker'), tasks: [snapshotDrill], services: { ...testServices, snapshots } },
});
console.log('ready');
await Promise.race([stop, worker.stopped]);
await worker.stop();
