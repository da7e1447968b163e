import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { claimMarks, dropMarks } from '#sql/dirty/claim.ts';
import { rollForward } from '#sql/dirty/roll_forward.ts';
import { bookUnbooked } from '#sql/periods/book.ts';
import { type Lost, lostText } from '#sql/periods/lost.ts';
import { tellFinal } from '#sql/restatements/final_days.ts';
import { rollups as ours } from '#sql/rollups/index.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { LOGGED_MAX, type Rebuilt, runMarked, runRollups } from '#sql/rollups/run.ts';
import { watchFigures } from './alerts/figure_alerts.ts';
import { enqueue } from './enqueue.ts';
import { defineTask } from './task.ts';

// Bounds the cost of a crash, and the time that other work on this retailer waits.
const BATCH_DAYS_MAX = 60;
const BATCH_OBJECTS_MAX = 1_000;
const BATCHES_MAX = 50;
/** Longer than a transaction holds marks, as a rule. */
const LOCKED_SECONDS = 5;
export const RANGE_DAYS_MAX = 3_660;
const DAY_MS = 86_400_000;

const payload = z
  .strictObject({
    brandId: z.uuid(),
    /** Null for the brand's own figures. */
    retailerId: z.uuid().nullable(),
    from: z.iso.date().optional(),
    to: z.iso.date().optional(),
    now: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), 'A range needs both from and to.')
  .refine(({ from = '', to = '' }) => from <= to, 'A range must not end before it begins.')
  .refine(
    ({ from, to }) => daysBetween(from, to).length <= RANGE_DAYS_MAX,
    `A range has at most ${RANGE_DAYS_MAX} days.`,
  );

type Payload = z.output<typeof payload>;

/** Rebuilt partitions, with the counts of written and deleted rows. */
type Batch = Rebuilt & { days: number; objects: number };

/**
 * Brings the aggregates of one retailer, or those of the brand itself, up to date. Without a range it works
 * until no mark is left; with one it rebuilds each of its days, marked or not, and the objects that belong to them.
 * A batch is one transaction: it takes the marks, then reads the facts by later statements, so that a load that commits
 * in between leaves its own marks for the next batch.
 */
export const rollup = defineTask({
  name: 'rollup',
  payload,
  // Rollups of a retailer exclude each other anyway; without the lane the waiting one would occupy a worker.
  lane: ({ brandId, retailerId }) => `rollup:${brandId}:${retailerId ?? 'brand'}`,
  key: ({ brandId, retailerId, from }) =>
    from === undefined ? `${brandId}:${retailerId ?? 'brand'}` : undefined,
  attempts: 8,
  timeoutSeconds: 3_600,
  async run(payload, { job, db, signal, now, log, progress, services: { rollups = ours } }) {
    const counting = rollups.flatMap(({ counts }) => counts ?? []);
    const which = { ...payload, rollups, instant: now(), job, loggedMax: LOGGED_MAX };
    const total = { days: 0, written: 0, deleted: 0 };
    let objects = 0;
    let wrong = 0;
    let restated = 0;
    let lost: Lost[] = [];
    const counted = Object.fromEntries(counting.map(({ as }) => [as, 0]));
    for await (const batch of batches(which, db.transaction, signal)) {
      total.days += batch.days;
      objects += batch.objects;
      wrong += batch.wrong;
      restated += batch.restated;
      which.loggedMax = Math.max(LOGGED_MAX - restated, 0);
      total.written += batch.written;
      total.deleted += batch.deleted;
      for (const [as, rows] of Object.entries(batch.counted)) counted[as] = (counted[as] ?? 0) + rows;
      progress({ days: total.days });
    }
    if (total.written + total.deleted > 0) await db.transaction(analyzeChanged);
    const { brandId, retailerId } = which;
    const { from, to } = which;
    if (from !== undefined && to !== undefined) {
      // Who rebuilds may have deleted rows before.
      const booking = { brandId, owner: retailerId, days: { from, to }, now: which.instant, rollups };
      lost = await db.transaction((tx) => bookUnbooked(tx, { ...booking, cause: 'changed_definition' }));
    }
    if (restated + wrong > 0 || which.from !== undefined)
      await db.transaction((tx) => watchFigures(tx, { brandId, now: which.instant }));
    for (const { as, warning } of counting)
      if (counted[as]) log.warn({ brandId, retailerId, rows: counted[as] }, warning);
    if (wrong > 0)
      log.error({ brandId, retailerId, sums: wrong }, 'sums differ from those that they must equal');
    for (const one of lost) log.error({ brandId, retailerId, ...one }, `nothing is booked: ${lostText(one)}`);
    const rare = { objects, wrong, restated, unbooked: lost.length };
    return { ...total, ...Object.fromEntries(Object.entries(rare).filter(([, n]) => n > 0)), ...counted };
  },
});

type Transaction = <T>(fn: (tx: Tx) => Promise<T>) => Promise<T>;

type Which = Payload & { rollups: readonly Rollup[]; instant: Date; job?: string; loggedMax: number };

/** What a job of it does, a transaction each; `from` and `to` as in its payload. */
export async function* batches(which: Which, transaction: Transaction, signal: AbortSignal) {
  const ranges = chunksOf(daysBetween(which.from, which.to), BATCH_DAYS_MAX);
  for (const days of ranges) {
    signal.throwIfAborted();
    yield await transaction((tx) => rebuildRange(tx, which, days));
  }
  const carried = await transaction((tx) => carry(tx, which, ranges.length > 0));
  if (carried) return;
  for (let count = 0; count < BATCHES_MAX; count++) {
    signal.throwIfAborted();
    const batch = await transaction((tx) => rebuildDirty(tx, which));
    if (batch.days + batch.objects === 0) return void (await transaction((tx) => followLocked(tx, which)));
    yield batch;
  }
  const { brandId, retailerId, now } = which;
  await transaction((tx) => enqueue(tx, rollup, { brandId, retailerId, ...(now && { now }) })); // another job does the rest, with a timeout of its own
}

/**
 * Carries states on to this day. After a range, marks of days outside of it are left for another job, including those
 * that an earlier attempt handed on.
 */
async function carry(tx: Tx, which: Which, isAfterRange: boolean) {
  const { brandId, retailerId, now: given, instant, rollups } = which;
  await rollForward(tx, { brandId, retailerId, now: instant }, rollups);
  if (!isAfterRange) return false;
  const { rows } = await tx.query(
    `select from ops.marks where brand_id = $1 and retailer_id is not distinct from $2
       and (marked_at = $3 or subject = any ($4)) limit 1`,
    [brandId, retailerId, instant, [...rollups.map(({ name }) => name), ...namedByRetailers(rollups)]],
  );
  await tellFinal(tx, brandId, instant);
  if (rows.length > 0) await enqueue(tx, rollup, { brandId, retailerId, ...(given && { now: given }) });
  return true;
}

/** Marks that another transaction holds stay behind, without a job of their own: for them this one comes again. */
async function followLocked(tx: Tx, { brandId, retailerId, now }: Which): Promise<void> {
  const { rows } = await tx.query(
    'select from ops.marks where brand_id = $1 and retailer_id is not distinct from $2 limit 1',
    [brandId, retailerId],
  );
  const again = { brandId, retailerId, ...(now && { now }) };
  if (rows.length > 0) await enqueue(tx, rollup, again, { delaySeconds: LOCKED_SECONDS });
}

async function rebuildDirty(tx: Tx, which: Which): Promise<Batch> {
  const { brandId, retailerId, instant, rollups, job, loggedMax } = which;
  const limits = { days: BATCH_DAYS_MAX, objects: BATCH_OBJECTS_MAX };
  // Many objects touch the same days, and many days name the same objects.
  const late = {
    days: rollups.filter(({ object, handsOn }) => object && handsOn).map(({ name }) => name),
    objects: namedByRetailers(rollups),
  };
  const marks = await claimMarks(tx, brandId, retailerId, limits, { late, rollups });
  const isMoreWaiting = marks.filter(({ object }) => object).length >= BATCH_OBJECTS_MAX;
  const target = { brandId, retailerId, now: instant, job, loggedMax };
  const batch = await runMarked(tx, rollups, { ...target, marks, isMoreWaiting });
  if (batch.days + batch.objects === 0) await tellFinal(tx, brandId, instant);
  await enqueueBrand(tx, which, batch);
  return batch;
}

async function rebuildRange(tx: Tx, which: Which, days: readonly string[]): Promise<Batch> {
  const { brandId, retailerId, instant, rollups, job, loggedMax } = which;
  const marks = await dropMarks(tx, brandId, retailerId, days, rollups);
  const target = { brandId, retailerId, now: instant, job, loggedMax };
  const rebuilt = await runRollups(tx, rollups, { ...target, days, marks });
  await enqueueBrand(tx, which, rebuilt);
  return { ...rebuilt, days: days.length };
}

/** Subjects of objects that rollups of a retailer name for others of the same one. */
function namedByRetailers(rollups: readonly Rollup[]): string[] {
  return rollups.flatMap(({ names = [] }) => names.filter(({ of }) => of === 'retailer').map(({ as }) => as));
}

/** Rollups of the brand read what has changed of the retailer. They are another job: no lock spans owners. */
async function enqueueBrand(tx: Tx, { brandId, now }: Which, { ofBrand }: Rebuilt): Promise<void> {
  if (ofBrand > 0) await enqueue(tx, rollup, { brandId, retailerId: null, ...(now && { now }) });
}

/** Includes both ends; stops before an endless range. */
export function daysBetween(from: string | undefined, to: string | undefined): string[] {
  if (from === undefined || to === undefined) return [];
  const first = Date.parse(from);
  const count = Math.min((Date.parse(to) - first) / DAY_MS + 1, RANGE_DAYS_MAX + 1);
  return Array.from({ length: Math.max(count, 0) }, (_, index) =>
    new Date(first + index * DAY_MS).toISOString().slice(0, 10),
  );
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
