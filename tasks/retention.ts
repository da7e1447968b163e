/** Deletes records of the platform's own work that are older than sql/queue/retention.ts keeps them. */
import { z } from 'zod';
import type { Tx } from '#sql/db/pool.ts';
import { brandsWithOldEvents, deleteOldEvents, dropMonth } from '#sql/events/retention.ts';
import { connectionsWithOldHistory, isRolledUp, rollUpHistory } from '#sql/load/roll_up_history.ts';
import {
  type Batch,
  deleteOthers,
  deleteRuns,
  deleteSlotsOfNoBackfill,
  deleteWordsOfNoFailure,
  readLastRuns,
} from '#sql/queue/retention.ts';
import { enqueue } from './enqueue.ts';
import { rollup } from './rollup.ts';
import { defineTask, type TaskContext } from './task.ts';

/** The limit per run and kind of record. The next day deletes the rest. */
const BATCHES_MAX = 1_000;
/** The same of months of events. */
const MONTHS_MAX = 240;

export const retention = defineTask({
  name: 'retention',
  payload: z.strictObject({ now: z.iso.datetime({ offset: true }).optional() }),
  lane: () => 'retention',
  key: () => 'all',
  attempts: 8,
  timeoutSeconds: 3_600,
  priority: 'bulk',
  schedules: [{ name: 'retention', of: 'platform', expression: '0 6 * * *' }],
  async run(_, context) {
    const now = context.now();
    const lastRuns = await readLastRuns(context.db);
    const counts = {
      job_runs: await batches(context, (tx, after) => deleteRuns(tx, now, lastRuns, after)),
      workers: await batches(context, (tx) => deleteOthers(tx, 'workers', now)),
      audit_log: await batches(context, (tx) => deleteOthers(tx, 'audit_log', now)),
      schedule_slots: await batches(context, (tx) => deleteOthers(tx, 'schedule_slots', now)),
      nights: await batches(context, (tx) => deleteOthers(tx, 'nights', now)),
      alerts: await batches(context, (tx) => deleteOthers(tx, 'alerts', now)),
      webhook_deliveries: await batches(context, (tx) => deleteOthers(tx, 'webhook_deliveries', now)),
      mail: await batches(context, (tx) => deleteOthers(tx, 'mail', now)),
      backfills: await batches(context, (tx) => deleteOthers(tx, 'backfills', now)),
      restatements: await batches(context, (tx) => deleteOthers(tx, 'restatements', now)),
      failures: await batches(context, (tx) => deleteOthers(tx, 'failures', now)),
      events: await oldEvents(context, now),
      history: await oldHistory(context, now),
    };
    await context.db.transaction(deleteSlotsOfNoBackfill);
    await context.db.transaction(deleteWordsOfNoFailure);
    return counts;
  },
});

/** Connection by connection: what moves figures locks no more than a load does. */
async function oldHistory(context: TaskContext, now: Date): Promise<number> {
  const { db, services } = context;
  const streams = services.providers.providers.flatMap((provider) => provider.streams);
  const tables = new Set(streams.flatMap((stream) => stream.tables).filter(isRolledUp));
  let deleted = 0;
  for (const table of tables)
    for (const connection of await connectionsWithOldHistory(db, table, now))
      deleted += await batches(context, async (tx) => {
        const batch = await rollUpHistory(tx, table, connection, now);
        const { brandId } = connection;
        if (batch.retailerId !== null) await enqueue(tx, rollup, { brandId, retailerId: batch.retailerId });
        return batch;
      });
  return deleted;
}

/** Brand by brand, for the same reason. */
async function oldEvents(context: TaskContext, now: Date): Promise<number> {
  let deleted = 0;
  for (const brandId of await brandsWithOldEvents(context.db, now))
    deleted += await batches(context, (tx) => deleteOldEvents(tx, brandId, now));
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
