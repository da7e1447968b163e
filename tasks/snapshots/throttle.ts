import { setTimeout as sleep } from 'node:timers/promises';

export type Throttle = (bytes: number, signal: AbortSignal) => Promise<void>;

/** Waits so that no more bytes a second pass than this, over all who share it; 0 is no limit. */
export function throttle(bytesPerSecond: number): Throttle {
  let freeAt = 0;
  return async (bytes, signal) => {
    if (bytesPerSecond === 0) return;
    const now = performance.now();
    freeAt = Math.max(freeAt, now) + (bytes / bytesPerSecond) * 1_000;
    if (freeAt > now) await sleep(freeAt - now, undefined, { signal });
  };
}
