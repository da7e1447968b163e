/**
 * A worker of ours with the tasks of the tests: node queue_worker.ts <url> [drainSeconds [stallSeconds [concurrency
 * [logLevel]]]].
 * Says when it is ready, when the body of a job begins, and the code of the error with which it ends.
 */
import { type LogLevel, makeLog } from '#runtime/log.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { startWorker } from '#workers/queue/worker.ts';
import { entangled, payment, poison, tick } from '../faults/tasks.ts';
import { announced, effect, hasty, once, steps } from '../queue_tasks.ts';
import { testServices } from '../run.ts';

const [, , url = '', drainSeconds = '10', stallSeconds = '0', concurrency = '4', logLevel = 'silent'] =
  process.argv;
const stop = stopSignal();
const worker = await startWorker({
  url,
  concurrency: Number(concurrency),
  drainSeconds: Number(drainSeconds),
  stallSeconds: Number(stallSeconds),
  log: makeLog(logLevel as LogLevel, 'worker'), // what the watchdog says at the end comes all the same
  tasks: [
    ...[effect, hasty, once].map(announced),
    announced(steps),
    announced(payment),
    announced(tick),
    announced(entangled),
    announced(poison),
  ],
  services: testServices,
});
console.log('ready');
try {
  await Promise.race([stop, worker.stopped]);
  await worker.stop();
} catch (error) {
  console.log(Object(error).code);
  process.exitCode = 1;
}
