/**
 * Deletes what is older than it is kept. Of a brand: records of what was done for it, history of its objects, and what these say
 * of persons, by its rules (`brands keep`), once a month. Of the platform, each day: records of its own work, and what must not stay a day longer than
 * the rule of its brand says, because it is of persons: bodies of deliveries and events.
 */
import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { brandsWithOldEvents, deleteOldEvents, dropMonth, makeMonthsAhead } from '#sql/events/retention.ts';
import { connectionsWithOldHistory, isRolledUp, rollUpHistory } from '#sql/load/roll_up_history.ts';
import {
  type Batch,
  deleteRecords,
  deleteSlotsOfNoBackfill,
  deleteWordsOfNoFailure,
  recordNames,
} from '#sql/queue/retention.ts';
import {
  type BrandRecord,
  brandRecords,
  dailyRecords,
  deleteOfBrand,
  deleteRuns,
  readOldRuns,
} from '#sql/retention/brand_records.ts';
import { endLostRuns } from '#sql/snapshots/runs.ts';
import { listBrands } from '#sql/tenants/brands.ts';
import { enqueue } from './enqueue.ts';
import { redactOldPersons } from './privacy/old_persons.ts';
import { rollup } from './rollup.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

/** The limit per run and kind of record. The next run deletes the rest. */
const BATCHES_MAX = 1_000;
/** The same of months of events. */
const MONTHS_MAX = 240;

export const retention = defineTask({
  name: 'retention',
  payload: z.strictObject({
    /** Of the platform without one. */
    brandId: z.uuid().optional(),
    now: z.iso.datetime({ offset: true }).optional(),
  }),
  lane: ({ brandId }) => (brandId ? `retention:${brandId}` : 'retention'),
  key: ({ brandId }) => brandId ?? 'all',
  attempts: 8,
  timeoutSeconds: 3_600,
  priority: 'bulk',
  schedules: [
    { name: 'retention', of: 'platform', expression: '0 6 * * *' },
    { name: 'retention-monthly', of: 'brand', expression: '0 6 1 * *' },
  ],
  async run({ brandId }, context): Promise<Tally> {
    const now = context.now();
    return brandId === undefined ? ofPlatform(context, now) : ofBrand(context, brandId, now);
  },
});

async function ofPlatform(context: TaskContext, now: Date): Promise<Tally> {
  const counts: Record<string, number> = { job_runs: await oldRuns(context, null, now) };
  for (const name of recordNames) counts[name] = await batches(context, (tx) => deleteRecords(tx, name, now));
  const brands = await listBrands(context.db);
  for (const name of dailyRecords) {
    let deleted = 0;
    for (const { id } of brands) deleted += await oldRecords(context, name, id, now);
    counts[name] = deleted;
  }
  counts.events = await oldEvents(context, now);
  await context.db.transaction(deleteSlotsOfNoBackfill);
  await context.db.transaction(deleteWordsOfNoFailure);
  return counts;
}

async function ofBrand(context: TaskContext, brandId: string, now: Date): Promise<Tally> {
  await context.db.transaction((tx) => endLostRuns(tx, brandId));
  const counts: Record<string, number> = { job_runs: await oldRuns(context, brandId, now) };
  for (const name of brandRecords) counts[name] = await oldRecords(context, name, brandId, now);
  counts.history = await oldHistory(context, brandId, now);
  counts.persons = await oldPersons(context, brandId, now);
  return counts;
}

function oldRecords(context: TaskContext, name: BrandRecord, brandId: string, now: Date): Promise<number> {
  return batches(context, (tx, after) => deleteOfBrand(tx, name, { brandId, now, after }));
}

async function oldRuns(context: TaskContext, brandId: string | null, now: Date): Promise<number> {
  const old = await readOldRuns(context.db, { brandId, now });
  let deleted = 0;
  for (const connectionId of old.connections)
    deleted += await batches(context, (tx, after) => deleteRuns(tx, old, connectionId, after));
  return deleted;
}

/** Connection by connection: what moves figures locks no more than a load does. */
async function oldHistory(context: TaskContext, brandId: string, now: Date): Promise<number> {
  const { db, services } = context;
  const streams = services.providers.providers.flatMap((provider) => provider.streams);
  const tables = new Set(streams.flatMap((stream) => stream.tables).filter(isRolledUp));
  let deleted = 0;
  for (const table of tables)
    for (const connection of await connectionsWithOldHistory(db, table, { brandId, now }))
      deleted += await batches(context, async (tx) => {
        const batch = await rollUpHistory(tx, table, connection, now);
        if (batch.retailerId !== null) await enqueue(tx, rollup, { brandId, retailerId: batch.retailerId });
        return batch;
      });
  return deleted;
}

/** To the end of each table, in stretches: what was redacted before is looked at again. */
function oldPersons({ db, services, signal }: TaskContext, brandId: string, now: Date): Promise<number> {
  const { sealer, providers } = services;
  return redactOldPersons({ db, sealer, providers: providers.providers, brandId, now, signal });
}

/** Brand by brand, for the same reason. */
async function oldEvents(context: TaskContext, now: Date): Promise<number> {
  let deleted = 0;
  for (const brandId of await brandsWithOldEvents(context.db, now))
    deleted += await batches(context, (tx) => deleteOldEvents(tx, brandId, now));
  await context.db.transaction(makeMonthsAhead);
  for (let count = 0; count < MONTHS_MAX; count++)
    if (!(await context.db.transaction((tx) => dropMonth(tx, now)))) break;
  return deleted;
}

/** The number of deleted records. */
async function batches({ db, signal }: TaskContext, one: (tx: Tx, after: number) => Promise<Batch>) {
  let [deleted, after] = [0, 0];
  for (let count = 0; count < BATCHES_MAX; count++) {
    signal.throwIfAborted();
    const from = after;
    const batch = await db.transaction((tx) => one(tx, from));
    deleted += batch.deleted;
    if (batch.isLast) break;
    after = batch.after;
  }
  return deleted;
}
