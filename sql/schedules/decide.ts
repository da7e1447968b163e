/** What becomes of the slots of a schedule that have come due. It looks at no clock and no table. */

/** As `ops.schedule_slots.outcome`: `queued` until the job has been made. */
export type SlotOutcome = 'queued' | 'failed' | 'missed' | 'overlap' | 'excluded' | 'paused';

export type Policy = {
  /** Which of several missed slots fire. */
  catchUp: 'latest' | 'all' | 'skip';
  /** Of `all`, so many of the latest at most. */
  catchUpMax: number;
  overlap: 'skip' | 'queue' | 'cancel';
};

/** A slot that has come due. */
export type DueSlot = {
  at: Date;
  isExcluded: boolean;
  isPaused: boolean;
};

export type Decided = { at: Date; outcome: SlotOutcome; detail?: string };

const LATER_FIRES = 'a later slot came due as well';
const TOO_LATE = 'it was too late to fire';

/** A slot that is not older fires although its schedule skips missed ones: nobody wakes at the very instant. */
export const ON_TIME_MS = 5 * 60_000;

/**
 * Decides each slot, oldest first. `isLast` is false where more slots have come due than are given: then the
 * newest of these may still be among those that fire, and are left for the next call.
 */
export function decide(
  due: readonly DueSlot[],
  { catchUp, catchUpMax, overlap }: Policy,
  { now, isLast, isActive }: { now: Date; isLast: boolean; isActive: boolean },
): Decided[] {
  const isOnTime = ({ at }: DueSlot) => catchUp !== 'skip' || now.getTime() - at.getTime() <= ON_TIME_MS;
  const firing = due.filter(({ isExcluded, isPaused }) => !isExcluded && !isPaused);
  const fires = new Set(firing.filter(isOnTime).slice(catchUp === 'all' ? -catchUpMax : -1));
  const oldestToFire = due.findIndex((slot) => fires.has(slot));
  const decidable = isLast || oldestToFire < 0 ? due : due.slice(0, oldestToFire);
  return decidable.map((slot) => {
    const { at, isExcluded, isPaused } = slot;
    if (isExcluded) return { at, outcome: 'excluded' };
    if (isPaused) return { at, outcome: 'paused' };
    if (!fires.has(slot)) return { at, outcome: 'missed', detail: isOnTime(slot) ? LATER_FIRES : TOO_LATE };
    if (isActive && overlap === 'skip') return { at, outcome: 'overlap' };
    return { at, outcome: 'queued' };
  });
}
