/**
 * Whether the time of the database may be believed. A clock that is set wrong for a moment must neither fire
 * what lies ahead nor write it off as done. So an advance that this process has not lived through is believed
 * only once it has lasted; a step back needs nothing, because no slot comes due.
 */

/** Less than this is a pause of the process, or the work of a time server. */
const JUMP_MS = 5 * 60_000;
/** A machine that slept comes back with such an advance, and it stays. */
const LASTS_MS = 60_000;

export type ClockGuard = {
  /** False while an advance is in doubt. `at` is the time of the database. */
  believes(at: Date): boolean;
};

/** `elapsed` gives milliseconds that no setting of a clock moves. */
export function guardClock(elapsed: () => number = () => performance.now()): ClockGuard {
  let offset: number | undefined; // of the last time that was believed
  let doubted: { offset: number; since: number } | undefined;
  return {
    believes(at) {
      const lived = elapsed();
      const now = at.getTime() - lived;
      if (offset === undefined || now - offset <= JUMP_MS) {
        [offset, doubted] = [now, undefined];
        return true;
      }
      if (doubted === undefined || Math.abs(now - doubted.offset) > JUMP_MS)
        doubted = { offset: now, since: lived };
      if (lived - doubted.since < LASTS_MS) return false;
      [offset, doubted] = [now, undefined];
      return true;
    },
  };
}
