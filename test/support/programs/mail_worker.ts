/** A worker that sends letters: node mail_worker.ts <url>. Says when it is ready. */
import { makeLog } from '#runtime/log.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import { sendEmail } from '#tasks/mail/send_email.ts';
import { startWorker } from '#workers/queue/worker.ts';
import { testServices } from '../run.ts';

const [, , url = ''] = process.argv;
const stop = stopSignal();
const worker = await startWorker({
  ...{ url, concurrency: 4, drainSeconds: 5, stallSeconds: 0 },
  ...{ log: makeLog('silent', 'worker'), tasks: [sendEmail], services: testServices },
});
console.log('ready');
await Promise.race([stop, worker.stopped]);
await worker.stop();
