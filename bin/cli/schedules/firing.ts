/** The slots of a schedule that will fire: not those on days that it leaves out. */
import { isOnDays, slotsOf } from '#sql/schedules/expression.ts';
import { knownToNode } from '#sql/tenants/brands.ts';

/** Slots that are looked at before those on excluded days are given up on: two weeks of one a minute. */
const LOOKED_AT_MAX = 20_160;
const CHUNK_MAX = 1_008;
const FAR = new Date('9999-01-01T00:00:00Z');

type Clock = { expression: string; timeZone: string; excludedDays: readonly string[] };

/** Those that fire: slots on excluded days are left out. `stoppedAt` is where the search gave up short of `count`. */
export function firingSlots(
  { expression, timeZone, excludedDays }: Clock,
  start: Date,
  count: number,
): { slots: Date[]; stoppedAt: Date | undefined } {
  const all = slotsOf(expression, timeZone);
  const isExcluded = isOnDays(excludedDays, timeZone);
  const slots: Date[] = [];
  let from = start;
  // The first look is short: of most schedules a page wants one slot.
  for (let lookedAt = 0, chunk = count + 1; lookedAt < LOOKED_AT_MAX; lookedAt += chunk, chunk *= 2) {
    chunk = Math.min(chunk, CHUNK_MAX, LOOKED_AT_MAX - lookedAt);
    const seen = all.between(from, FAR, chunk);
    slots.push(...seen.filter((at) => !isExcluded(at)));
    if (slots.length >= count || seen.length < chunk)
      return { slots: slots.slice(0, count), stoppedAt: undefined };
    from = seen.at(-1) ?? FAR;
  }
  return { slots, stoppedAt: from };
}

/** The next slot of a schedule that fires; null if there is none within what is looked at. */
export function nextFiring(clock: Clock & { nextSlot: Date | null }): Date | null {
  if (clock.nextSlot === null || clock.excludedDays.length === 0 || !knownToNode(clock.timeZone))
    return clock.nextSlot;
  const before = new Date(clock.nextSlot.getTime() - 1);
  return firingSlots(clock, before, 1).slots[0] ?? null;
}
