/**
 * Follows what deliveries say of a stream: fetches the objects that they name, as they are now, or reads its changes; and
 * loads the rows that they contain. Those of some seconds are followed together. What comes meanwhile makes a new job.
 */
import { z } from 'zod';
import { isBackfillDue } from '#connectors/kit/stream.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { forgetHints, noteLoaded, readHints, readUnloaded } from '#sql/webhooks/deliveries.ts';
import { enqueue } from '../enqueue.ts';
import { IDS_MAX, runStream } from '../sync_stream.ts';
import { defineTask, type Tally } from '../task.ts';

const TIMEOUT_SECONDS = 60 * 60;
/** Deliveries that are loaded at once. */
const LOADED_AT_ONCE = { max: 200, bytesMax: 16 * 1024 * 1024 };

export const followDeliveries = defineTask({
  name: 'follow_deliveries',
  payload: z.strictObject({ brandId: z.uuid(), connectionId: z.uuid(), stream: z.string() }),
  lane: ({ connectionId }) => `connection:${connectionId}`, // that of `sync_stream`
  key: ({ brandId, connectionId, stream }) => `${brandId}:${connectionId}:${stream}`,
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  async run(which, context): Promise<Tally> {
    const { db, services, now } = context;
    const stream = services.providers.findStream(which.stream);
    const { ids, isWhole, numbers } = await readHints(db, which, IDS_MAX);
    const deliveries = await readUnloaded(db, which, LOADED_AT_ONCE);
    const position = (await readStates(db, which)).get(which.stream)?.position ?? null;
    // What reads everything, or the rest of it, needs no hints.
    const isRead = numbers.length > 0 && isBackfillDue(stream, position, now());
    const tallies: Tally[] = [];
    // This run goes on behind those of the stream.
    const inner = { ...context, db: { ...db, finish: db.transaction } };
    if (deliveries.length > 0) tallies.push(await runStream({ ...which, deliveries }, inner));
    if (!isRead && ids.length > 0) tallies.push(await runStream({ ...which, ids }, inner));
    if (!isRead && isWhole) tallies.push(await runStream(which, inner));
    return db.finish(async (tx) => {
      const loaded = deliveries.map(({ number }) => number);
      const [isHinted, isLeft] = [await forgetHints(tx, which, numbers), await noteLoaded(tx, which, loaded)];
      if (isHinted || isLeft) await enqueue(tx, followDeliveries, which);
      const skipped = isRead && { skipped: 'a first load is due' };
      return { hints: numbers.length, deliveries: loaded.length, ...skipped, ...together(tallies) };
    });
  },
});

/** The tallies of a fetch and of a reading have the same fields. */
function together(tallies: readonly Tally[]): Tally {
  const sum: Tally = {};
  for (const tally of tallies)
    for (const [name, value] of Object.entries(tally)) {
      const before = sum[name];
      sum[name] = typeof value === 'number' && typeof before === 'number' ? before + value : value;
    }
  return sum;
}
