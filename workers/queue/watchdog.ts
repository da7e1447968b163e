/**
 * Ends a process with a blocked event loop. Its session lives on, and with it the lock that marks the worker as alive,
 * so nobody takes its jobs over, and it handles no signal. A separate thread checks that the main thread still counts;
 * if it does not for too long, it kills the process. The server frees the lock, others run the jobs within seconds, and
 * each is recorded as crashed once more.
 */
import { Worker } from 'node:worker_threads';
import { coded } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';

const LOOKS = 10; // checks within the limit; a suspended process fails at most one of them
const BEATS_PER_LOOK = 3;
const HEAP_MB_MAX = 8; // the thread needs almost nothing

export class WorkerStalled extends coded('NS_WORKER_STALLED') {
  constructor(seconds: number) {
    super(`The event loop was blocked for ${seconds} s, so this process ends itself.`, {
      hint: 'Its jobs run elsewhere, or here once it is started again. npx nightshift jobs list --finished names those that crashed.',
      context: { seconds },
    });
  }
}

/** Watches until disposed. */
export function watchEventLoop(limitSeconds: number, log: Log): AsyncDisposable {
  const lookMs = (limitSeconds * 1_000) / LOOKS;
  // The first is incremented; the second stays 0, for the thread to wait on.
  const beats = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const { code, hint, message } = new WorkerStalled(limitSeconds);
  const lastWords = {
    ...log.bindings(),
    pid: process.pid,
    error: message,
    code,
    hint,
    msg: 'the worker ends',
  };
  const thread = new Worker(new URL('./watchdog_thread.js', import.meta.url), {
    workerData: { beats, lookMs, looks: LOOKS, lastWords },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX, maxYoungGenerationSizeMb: 1 },
  });
  thread.on('error', (error) => log.error({ err: error }, 'the event loop is not watched any more'));
  thread.unref();
  const beating = setInterval(() => Atomics.add(beats, 0, 1), lookMs / BEATS_PER_LOOK);
  beating.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beating);
      await thread.terminate();
    },
  };
}
