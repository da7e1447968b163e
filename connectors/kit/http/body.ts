/**
 * Reads the body of an answer with a minimum speed. A provider that sends a byte per second is never silent, so no
 * timeout between two chunks ends it, and a job would hold its slot and its lane for days. Only the time spent waiting
 * for the provider counts, not the pauses of the reader.
 */

export type BodyLimits = {
  /** In a wait of this length at least this many bytes must arrive. */
  paceMs: number;
  paceBytesMin: number;
  /** The limit for the whole body at any speed; absent for bodies of unlimited size. */
  totalMsMax?: number;
};

/** A thousandth of the speed of any provider. */
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
    await pieces.return?.(); // reads no further, which ends the request
  }
}
