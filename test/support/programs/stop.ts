/** Waits to be stopped, says by which signal, and then takes a minute to go. */
import { setTimeout as sleep } from 'node:timers/promises';
import { stopSignal } from '#runtime/shutdown.ts';

const stop = stopSignal();
console.log('ready');
const keepAlive = setInterval(() => {}, 1_000);
console.log(await stop);
clearInterval(keepAlive);
if (process.argv[2] === 'slow') await sleep(60_000);
