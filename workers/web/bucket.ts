/** A token bucket in this process: so many at once, and so many a second. */

export type Bucket = { take(): boolean };

export function makeBucket(perSecond: number, atOnce: number): Bucket {
  let tokens = atOnce;
  let at = performance.now();
  return {
    take() {
      const now = performance.now();
      tokens = Math.min(atOnce, tokens + ((now - at) / 1000) * perSecond);
      at = now;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
