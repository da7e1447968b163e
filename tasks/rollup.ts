import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { claimMarks, dropMarks } from '#sql/dirty/claim.ts';
import { rollForward } from '#sql/dirty/roll_forward.ts';
import { rollups } from '#sql/rollups/index.ts';
import { type Rebuilt, runMarked, runRollups } from '#sql/rollups/run.ts';
import { enqueue } from './enqueue.ts';
import { defineTask } from './task.ts';

// Bounds the cost of a crash, and the time that other work on this retailer waits.
const BATCH_DAYS_MAX = 60;
const BATCH_OBJECTS_MAX = 1_000;
const BATCHES_MAX = 50;
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

/** Marks that objects hand on: many objects touch the same days. */
const handedOn = rollups.filter(({ object, handsOn }) => object && handsOn).map(({ name }) => name);

const counting = rollups.flatMap(({ counts }) => counts ?? []);

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
  async run(which, { db, signal, now, log, progress }) {
    const total = { days: 0, written: 0, deleted: 0 };
    let objects = 0;
    const counted = Object.fromEntries(counting.map(({ as }) => [as, 0]));
    for await (const batch of batches(which, now(), db.transaction, signal)) {
      total.days += batch.days;
      objects += batch.objects;
      total.written += batch.written;
      total.deleted += batch.deleted;
      for (const [as, rows] of Object.entries(batch.counted)) counted[as] = (counted[as] ?? 0) + rows;
      progress({ days: total.days });
    }
    if (total.written + total.deleted > 0) await db.transaction(analyzeChanged);
    const { brandId, retailerId } = which;
    for (const { as, warning } of counting)
      if (counted[as]) log.warn({ brandId, retailerId, rows: counted[as] }, warning);
    return { ...total, ...(objects > 0 && { objects }), ...counted };
  },
});

type Transaction = <T>(fn: (tx: Tx) => Promise<T>) => Promise<T>;

async function* batches(which: Payload, now: Date, transaction: Transaction, signal: AbortSignal) {
  const ranges = chunksOf(daysBetween(which.from, which.to), BATCH_DAYS_MAX);
  for (const days of ranges) {
    signal.throwIfAborted();
    yield await transaction((tx) => rebuildRange(tx, which, days, now));
  }
  const carried = await transaction((tx) => carry(tx, which, now, ranges.length > 0));
  if (carried) return;
  for (let count = 0; count < BATCHES_MAX; count++) {
    signal.throwIfAborted();
    const batch = await transaction((tx) => rebuildDirty(tx, which, now));
    if (batch.days + batch.objects === 0) return;
    yield batch;
  }
  await transaction((tx) => enqueue(tx, rollup, which)); // another job does the rest, with a timeout of its own
}

/**
 * Carries states on to this day. After a range, marks of days outside of it are left for another job, including those
 * that an earlier attempt handed on.
 */
async function carry(tx: Tx, { brandId, retailerId, now: given }: Payload, now: Date, isAfterRange: boolean) {
  if (retailerId !== null) await rollForward(tx, { brandId, retailerId, now });
  if (!isAfterRange) return false;
  const { rows } = await tx.query(
    `select from ops.marks where brand_id = $1 and retailer_id is not distinct from $2
       and (marked_at = $3 or subject = any ($4)) limit 1`,
    [brandId, retailerId, now, rollups.map(({ name }) => name)],
  );
  if (rows.length > 0) await enqueue(tx, rollup, { brandId, retailerId, ...(given && { now: given }) });
  return true;
}

async function rebuildDirty(tx: Tx, { brandId, retailerId }: Payload, now: Date): Promise<Batch> {
  const limits = { days: BATCH_DAYS_MAX, objects: BATCH_OBJECTS_MAX };
  const marks = await claimMarks(tx, brandId, retailerId, limits, handedOn);
  const isMoreWaiting = marks.filter(({ object }) => object).length >= BATCH_OBJECTS_MAX;
  return runMarked(tx, rollups, { brandId, retailerId, marks, isMoreWaiting, now });
}

async function rebuildRange(tx: Tx, which: Payload, days: readonly string[], now: Date): Promise<Batch> {
  const { brandId, retailerId } = which;
  await dropMarks(tx, brandId, retailerId, days);
  const rebuilt = await runRollups(tx, rollups, { brandId, retailerId, days, now });
  return { ...rebuilt, days: days.length };
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
