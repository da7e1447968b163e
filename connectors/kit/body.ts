/**
 * Reads the body of an answer no longer than it deserves. A provider that sends a byte each second is
 * never silent, so no timeout between two pieces ends it, and a job would hold its slot and its lane for
 * days. Only the time spent waiting for the provider counts: a reader that pauses costs it nothing.
 */

export type BodyLimits = {
  /** In so long a wait it has to bring at least so many bytes. */
  paceMs: number;
  paceBytesMin: number;
  /** Of the whole body, however fast; without it for those whose size has no limit. */
  totalMsMax?: number;
};

/** A thousandth of what any provider brings. */
export const USUAL_PACE: BodyLimits = { paceMs: 60_000, paceBytesMin: 60_000 };

export class BodyTooSlow extends Error {}

export async function* inTime(body: AsyncIterable<Buffer>, limits: BodyLimits): AsyncGenerator<Buffer> {
  const { paceMs, paceBytesMin, totalMsMax = Number.POSITIVE_INFINITY } = limits;
  const pieces = body[Symbol.asyncIterator]();
  let totalMs = 0;
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      const { done, value } = await pieces.next();
      if (done) return;
      const ms = performance.now() - askedAt;
      totalMs += ms;
      waitedMs += ms;
      bytes += value.length;
      if (totalMs > totalMsMax) throw new BodyTooSlow(`no end after ${totalMsMax / 1000} s`);
      if (waitedMs >= paceMs) {
        if (bytes < paceBytesMin) throw new BodyTooSlow(`${bytes} bytes in ${Math.round(waitedMs / 1000)} s`);
        [waitedMs, bytes] = [0, 0];
      }
      yield value;
    }
  } finally {
    await pieces.return?.(); // read no further, which ends the request
  }
}
