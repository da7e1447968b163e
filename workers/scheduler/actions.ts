/**
 * What operators do to a schedule. Each first decides what has come due, so that it follows the rules of its
 * time: an edit never reruns the past, a pause takes nothing back.
 */
import { z } from 'zod';
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { keepConnection } from '#sql/load/load_lock.ts';
import type { Policy } from '#sql/schedules/decide.ts';
import { slotsOf } from '#sql/schedules/expression.ts';
import { ScheduleNotFound } from '#sql/schedules/find.ts';
import { pausedSlots } from '#sql/schedules/ledger.ts';
import {
  beginVersion,
  databaseTime,
  deleteSchedule,
  insertSchedule,
  lockSchedule,
  markPaused,
  markResumed,
  type NewSchedule,
  type Schedule,
  updatePolicy,
} from '#sql/schedules/schedules.ts';
import { type Action, recordAction, type VerbOf } from '#sql/tenants/audit.ts';
import { assertTimeZone } from '#sql/tenants/brands.ts';
import { keepBrand } from '#sql/tenants/removing.ts';
import type { Task } from '#tasks/task.ts';
import { isDefault } from './defaults.ts';
import { askingFirst, fire, payloadOf } from './fire.ts';
import { decideDue, fireAll, SLOTS_MAX } from './pass.ts';

export class ScheduleState extends coded('NS_SCHEDULE_STATE') {}
export class ScheduleRefused extends coded('NS_SCHEDULE_REFUSED') {}

export type Actor = {
  by: string;
  tasks: readonly Task[];
  /** The instant it is; by the database when left out. For tests. */
  now?: Date | undefined;
};

/** More slots than this are not decided by a command; a scheduler does it. */
const PASSES_MAX = 100;

/** Runs `act` with the schedule locked, and everything that has come due decided. */
export async function onSchedule<T>(
  db: Db,
  id: number,
  actor: Actor,
  act: (tx: Tx, schedule: Schedule, now: Date) => Promise<T>,
): Promise<T> {
  const work = async (tx: Tx): Promise<T> => {
    const lock = async () => {
      const schedule = await lockSchedule(tx, id, { wait: true });
      if (schedule === undefined) throw new ScheduleNotFound('schedule', String(id));
      return schedule;
    };
    let schedule = await lock();
    const now = actor.now ?? (await databaseTime(tx));
    for (let pass = 0; ; pass++) {
      const { isDone } = await decideDue(tx, schedule, { ...actor, now });
      schedule = await lock(); // as the pass has left it
      if (isDone) break;
      if (pass >= PASSES_MAX)
        throw new ScheduleState(
          `Over ${PASSES_MAX * SLOTS_MAX} slots of it have come due and are not decided.`,
          {
            hint: 'Start a scheduler (npx nightshift up), and try again once it has caught up.',
          },
        );
    }
    return act(tx, schedule, now);
  };
  return askingFirst(db, () => db.transaction(work));
}

function audit(tx: Tx, verb: VerbOf<'schedules'>, { id, name, brandId }: Named, what: Pick<Action, Said>) {
  const target = `${id} ${name}`;
  return recordAction(tx, { action: `schedules.${verb}`, target, ...what, ...(brandId && { brandId }) });
}

type Said = 'before' | 'after' | 'details';

type Named = { id: number; name: string; brandId: string | null };

export async function addSchedule(db: Db, schedule: NewSchedule, { by, tasks, now }: Actor): Promise<number> {
  const { brandId, connectionId, ...after } = schedule;
  assertPolicy(schedule);
  assertPayload(schedule, tasks);
  return db.transaction(async (tx) => {
    if (brandId && connectionId) await keepConnection(tx, { brandId, connectionId });
    else if (brandId) await keepBrand(tx, brandId);
    if (schedule.timeZone !== null) await assertTimeZone(tx, schedule.timeZone);
    const at = now ?? (await databaseTime(tx));
    assertFires(schedule.expression, { timeZone: schedule.timeZone ?? 'UTC', at });
    const id = await insertSchedule(tx, schedule, { at, by });
    if (id === undefined)
      throw new ScheduleState(`There is a schedule ${schedule.name} there already.`, {
        hint: 'Take another name, or change that one: npx nightshift schedules edit',
      });
    await audit(tx, 'add', { id, name: schedule.name, brandId }, { after });
    return id;
  });
}

/** Whose the work is, the schedule itself says. */
const OWNERS = ['brandId', 'connectionId'];

function assertPayload(schedule: NewSchedule, tasks: readonly Task[]): void {
  const task = tasks.find(({ name }) => name === schedule.task);
  if (task === undefined)
    throw new ScheduleRefused(`There is no task ${schedule.task}.`, {
      hint: `Tasks are ${tasks.map(({ name }) => name).join(', ')}.`,
    });
  if (OWNERS.some((field) => field in schedule.payload))
    throw new ScheduleRefused('The payload says whose the work is.', {
      hint: 'Leave brandId and connectionId out, and add --brand and --connection.',
    });
  const sample = payloadOf(task, schedule, { at: new Date(0), localDay: '1970-01-01' });
  const { success, error } = task.payload.safeParse(sample);
  if (!success)
    throw new ScheduleRefused(`Task ${task.name} cannot be fired so: ${z.prettifyError(error)}`, {
      hint: 'Add what it lacks: --brand, --connection or --payload.',
    });
}

function assertPolicy({ catchUp, overlap }: Policy): void {
  if (catchUp !== 'all' || overlap === 'queue') return;
  throw new ScheduleRefused('Missed slots that all fire overlap each other.', {
    hint: 'Add --overlap queue to --catch-up all.',
  });
}

function assertFires(expression: string, { timeZone, at }: { timeZone: string; at: Date }): void {
  if (slotsOf(expression, timeZone).after(at) !== undefined) return;
  throw new ScheduleRefused(`'${expression}' never fires.`, {
    hint: "Name a day that exists, such as '0 2 1 * *' for the first of each month at 02:00.",
  });
}

/** How many slots fire at once at most: of a resume, and of catch-up `all` where nothing else is said. */
export const FIRED_AT_ONCE_MAX = 100;

export type Edit = Partial<
  Pick<
    NewSchedule,
    'expression' | 'timeZone' | 'catchUp' | 'catchUpMax' | 'overlap' | 'excludedDays' | 'pauseAfterFailures'
  >
>;

/** A new expression or zone counts from now on. Gives what has changed. */
export function editSchedule(db: Db, id: number, given: Edit, actor: Actor): Promise<Edit> {
  return onSchedule(db, id, actor, async (tx, before, now) => {
    const isAll = given.catchUp === 'all' && before.catchUp !== 'all';
    const edit = isAll ? { catchUpMax: FIRED_AT_ONCE_MAX, ...given } : given;
    assertPolicy({ ...before, ...edit });
    if (edit.timeZone) await assertTimeZone(tx, edit.timeZone);
    await updatePolicy(tx, id, edit);
    const after = await lockSchedule(tx, id, { wait: true });
    if (after === undefined) throw new ScheduleNotFound('schedule', String(id));
    if (edit.expression !== undefined) assertFires(edit.expression, { timeZone: after.timeZone, at: now });
    const expression = edit.expression ?? before.expression;
    if (expression !== before.expression || after.timeZone !== before.versionZone)
      await beginVersion(tx, after, { expression, timeZone: after.timeZone, at: now, by: actor.by });
    const changed = Object.entries(edit).map(([key]) => [key, before[key as keyof Schedule]]);
    await audit(tx, 'edit', before, { before: Object.fromEntries(changed), after: edit });
    return edit;
  });
}

export function pauseSchedule(
  db: Db,
  id: number,
  { until, reason }: { until?: Date | undefined; reason: string },
  actor: Actor,
): Promise<void> {
  return onSchedule(db, id, actor, async (tx, schedule, at) => {
    if (schedule.pausedAt !== null)
      throw new ScheduleState('The schedule is paused already.', {
        hint: `npx nightshift schedules resume ${id}`,
      });
    await markPaused(tx, id, { at, until, by: actor.by, reason });
    const after = { paused: { reason, until: until?.toISOString() } };
    await audit(tx, 'pause', schedule, { before: { paused: null }, after });
  });
}

export type Missed = 'skip' | 'latest' | 'all';

/** Of the slots that came due during the pause, those that are missed fire now. Gives how many, and how many do not. */
export function resumeSchedule(
  db: Db,
  id: number,
  missed: Missed,
  actor: Actor,
): Promise<{ fired: number; failed: number; left: number }> {
  return onSchedule(db, id, actor, async (tx, schedule, now) => {
    const { pausedAt } = schedule;
    if (pausedAt === null)
      throw new ScheduleState('The schedule is not paused.', {
        hint: `npx nightshift schedules show ${id}`,
      });
    const max = { skip: 0, latest: 1, all: FIRED_AT_ONCE_MAX }[missed];
    const { slots, left } = await pausedSlots(tx, id, { since: pausedAt, max });
    await markResumed(tx, id, now);
    const before = { paused: { since: pausedAt.toISOString() } };
    const details = { missed, fires: slots.length };
    await audit(tx, 'resume', schedule, { before, after: { paused: null }, details });
    return { ...(await fireAll(tx, schedule, slots, { tasks: actor.tasks })), left };
  });
}

/** Makes its job now, besides its slots. */
export function runSchedule(db: Db, id: number, actor: Actor): Promise<string> {
  return onSchedule(db, id, actor, async (tx, schedule, now) => {
    const { rows } = await tx.query<{ day: string }>(
      'select ($1::timestamptz at time zone $2)::date as day',
      [now, schedule.timeZone],
    );
    const fired = await fire(tx, actor.tasks, schedule, { at: now, localDay: rows[0]?.day ?? '' });
    if ('error' in fired)
      throw new ScheduleRefused(fired.error, { hint: `npx nightshift schedules show ${id}` });
    await audit(tx, 'run', schedule, { details: { job: fired.jobId } });
    return fired.jobId;
  });
}

export async function removeSchedule(db: Db, id: number, actor: Actor): Promise<void> {
  await onSchedule(db, id, actor, async (tx, schedule) => {
    if (isDefault(actor.tasks, schedule))
      throw new ScheduleRefused(`${schedule.name} is a schedule that everybody has: it would come back.`, {
        hint: `Pause it instead: npx nightshift schedules pause ${id} --reason …`,
      });
    const { task, payload, expression, timeZone } = schedule;
    await audit(tx, 'remove', schedule, { before: { task, payload, expression, timeZone } });
    await deleteSchedule(tx, id);
  });
}
