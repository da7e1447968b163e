/**
 * Is watched, and lets its event loop stand still, once or several times: node stand_still.ts <limitSeconds>
 * <ms>…. Says `ready` before and `alive` after, then ends when it is told to.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { makeLog } from '#runtime/log.ts';
import { watchEventLoop } from '#workers/queue/watchdog.ts';

const [, , limitSeconds, ...stalls] = process.argv;
const stopped = new Promise((resolve) => process.once('SIGTERM', resolve));
const keepAlive = setInterval(() => {}, 1_000);
{
  await using _ = watchEventLoop(Number(limitSeconds), makeLog('info', 'worker'));
  console.log('ready');
  for (const ms of stalls) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(ms));
    await sleep(500);
  }
  console.log('alive');
  await stopped;
}
clearInterval(keepAlive);
