/**
 * Brings the ledger of one schedule up to an instant: each slot that has come due gets its outcome, and the
 * jobs of those that fire are made in the same transaction. Schedulers do this, and every command that changes
 * a schedule does it first, so that what has come due follows the rules of its time.
 */
import type { Tx } from '#sql/db/pool.ts';
import { type Decided, decide } from '#sql/schedules/decide.ts';
import { isOnDays, slotsOf } from '#sql/schedules/expression.ts';
import { activeJob, failuresInARow, recordSlots, settleSlot } from '#sql/schedules/ledger.ts';
import {
  advance,
  beginVersion,
  decideAgain,
  markPaused,
  markResumed,
  type Schedule,
} from '#sql/schedules/schedules.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Slot, Task } from '#tasks/task.ts';
import { fire } from './fire.ts';

/** Looked at in one transaction. An outage of a year is many of them, for an expression of each minute. */
export const SLOTS_MAX = 1_000;

export type PassOptions = {
  now: Date;
  tasks: readonly Task[];
  /** Who decides: a scheduler, or the account of a command. */
  by: string;
};

export type Pass = { fired: number; failed: number; skipped: number; isDone: boolean };

/** The schedule must be locked. Gives `isDone: false` where more has come due than one transaction should hold. */
export async function decideDue(tx: Tx, schedule: Schedule, options: PassOptions): Promise<Pass> {
  const { now, by, tasks } = options;
  const { id, timeZone, versionZone, pausedUntil, decidedTo } = schedule;
  if (decidedTo.getTime() - now.getTime() > AHEAD_MS) await decideAgain(tx, schedule, now);
  else if (now <= decidedTo) return NOTHING_DUE;
  const pausedAt = schedule.pausedAt ?? (await pauseIfFailing(tx, schedule));
  const active = schedule.overlap === 'queue' ? undefined : await activeJob(tx, id);
  const { decided, isLast } = decidable({ ...schedule, pausedAt }, now, active !== undefined);
  if (active && schedule.overlap === 'skip') tellOverlap(decided, active);
  const recorded = await recordSlots(tx, schedule, decided, by);
  const isZoneNew = isLast && timeZone !== versionZone;
  if (isZoneNew) await beginVersion(tx, schedule, { ...schedule, timeZone, at: now, by });
  else await advance(tx, schedule, isLast ? now : (decided.at(-1)?.at ?? now));
  if (isLast && pausedAt && pausedUntil && pausedUntil <= now) await markResumed(tx, id, pausedUntil);
  const firing = recorded.filter(({ outcome }) => outcome === 'queued');
  const replaces = schedule.overlap === 'cancel' ? active?.jobId : undefined;
  const { fired, failed } = await fireAll(tx, schedule, firing, { tasks, replaces });
  return { fired, failed, skipped: recorded.length - firing.length, isDone: isLast };
}

/** Looks of two schedulers overlap, and a look takes a while: so little is no clock that was wrong. */
const AHEAD_MS = 5 * 60_000;
const NOTHING_DUE: Pass = { fired: 0, failed: 0, skipped: 0, isDone: true };

/** More slots than this are on excluded days alone: not one of them would fire. */
const SLOTS_MAX_EXCLUDED = 64_000;

/** Those of the slots that have come due which can be decided at once; always one at least, if any has. */
function decidable(
  schedule: Schedule,
  now: Date,
  isActive: boolean,
): { decided: Decided[]; isLast: boolean } {
  const slots = slotsOf(schedule.expression, schedule.versionZone);
  const isExcluded = isOnDays(schedule.excludedDays, schedule.versionZone);
  for (let max = SLOTS_MAX; ; max *= 2) {
    const due = slots.between(schedule.decidedTo, now, max);
    const isLast = due.length < max;
    const marked = due.map((at) => ({ at, isExcluded: isExcluded(at), isPaused: isPaused(schedule, at) }));
    const decided = decide(marked, schedule, { now, isLast, isActive });
    if (decided.length > 0 || isLast) return { decided, isLast };
    if (max > SLOTS_MAX_EXCLUDED)
      throw new RangeError(`Schedule ${schedule.id}: over ${max} slots on excluded days.`);
  }
}

/** Whatever came due before a pause was decided as it began. */
function isPaused({ pausedAt, pausedUntil }: Schedule, at: Date): boolean {
  return pausedAt !== null && (pausedUntil === null || at <= pausedUntil);
}

/** Gives the instant since when the schedule is paused. */
async function pauseIfFailing(tx: Tx, schedule: Schedule): Promise<Date | null> {
  const { id, brandId, name, pauseAfterFailures: max, decidedTo } = schedule;
  if (max === null || (await failuresInARow(tx, id)) < max) return null;
  const reason = `its last ${max} slots failed`;
  await markPaused(tx, id, { at: decidedTo, by: 'scheduler', reason });
  const target = `${id} ${name}`;
  const after = { paused: { reason } };
  await recordAction(tx, {
    action: 'schedules.pause',
    ...{ target, before: { paused: null }, after, actor: 'scheduler' },
    ...(brandId && { brandId }),
  });
  return decidedTo;
}

function tellOverlap(decided: readonly Decided[], { jobId, state }: { jobId: string; state: string }): void {
  for (const one of decided) if (one.outcome === 'overlap') one.detail = `job ${jobId} is ${state}`;
}

/** Makes the jobs of slots that are in the ledger as queued. The last of its transaction. */
export async function fireAll(
  tx: Tx,
  schedule: Schedule,
  slots: readonly Slot[],
  { tasks, replaces }: { tasks: readonly Task[]; replaces?: string | undefined },
): Promise<{ fired: number; failed: number }> {
  let failed = 0;
  for (const slot of slots) {
    const result = await fire(tx, tasks, schedule, slot, { replaces });
    if ('error' in result) failed++;
    await settleSlot(tx, schedule.id, slot.at, result);
  }
  return { fired: slots.length - failed, failed };
}
