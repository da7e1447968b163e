/**
 * The thread of watchdog.ts. Plain JavaScript that imports nothing of ours: taking the types out of
 * TypeScript takes more memory than all the rest of it, and it must not wait for the main thread.
 */
import { write } from 'node:fs';
import { workerData } from 'node:worker_threads';

const STDERR = 2;
const WRITE_MS_MAX = 500; // a full pipe may be what the main thread waits for

const { beats, lookMs, looks, lastWords } = workerData;
// Looks are counted, not time: a process that was stopped for an hour and woke up has been still for one look.
for (let still = 0, seen = -1; still < looks; still++) {
  Atomics.wait(beats, 1, 0, lookMs);
  const count = Atomics.load(beats, 0);
  if (count !== seen) still = -1;
  seen = count;
}
const kill = () => process.kill(process.pid, 'SIGKILL'); // nothing less ends a process that hears nothing
const line = JSON.stringify({ level: 'fatal', time: new Date().toISOString(), ...lastWords });
setTimeout(kill, WRITE_MS_MAX);
write(STDERR, `${line}\n`, kill);
