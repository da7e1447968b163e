/**
 * Follows what deliveries say of a stream: fetches the objects that they name, as they are now, or reads the changes of
 * the stream. Hints of some seconds are followed together. Those that come meanwhile make a new job.
 */
import { z } from 'zod';
import { isBackfillDue } from '#connectors/kit/stream.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { forgetHints, readHints } from '#sql/webhooks/deliveries.ts';
import { enqueue } from '../enqueue.ts';
import { IDS_MAX, runStream } from '../sync_stream.ts';
import { defineTask, type Tally } from '../task.ts';

const TIMEOUT_SECONDS = 60 * 60;

export const followHints = defineTask({
  name: 'follow_hints',
  payload: z.strictObject({ brandId: z.uuid(), connectionId: z.uuid(), stream: z.string() }),
  lane: ({ connectionId }) => `connection:${connectionId}`, // that of `sync_stream`
  key: ({ brandId, connectionId, stream }) => `${brandId}:${connectionId}:${stream}`,
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  async run(which, context): Promise<Tally> {
    const { db, services, now } = context;
    const stream = services.providers.findStream(which.stream);
    const { ids, isWhole, numbers } = await readHints(db, which, IDS_MAX);
    const position = (await readStates(db, which)).get(which.stream)?.position ?? null;
    // What reads everything, or the rest of it, needs no hints.
    const isRead = isBackfillDue(stream, position, now());
    const tallies: Tally[] = [];
    // This run goes on behind those of the stream.
    const inner = { ...context, db: { ...db, finish: db.transaction } };
    if (!isRead && ids.length > 0) tallies.push(await runStream({ ...which, ids }, inner));
    if (!isRead && isWhole) tallies.push(await runStream(which, inner));
    return db.finish(async (tx) => {
      if (await forgetHints(tx, which, numbers)) await enqueue(tx, followHints, which);
      return {
        hints: numbers.length,
        ...(isRead && { skipped: 'a first load is due' }),
        ...together(tallies),
      };
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
