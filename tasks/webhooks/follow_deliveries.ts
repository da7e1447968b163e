/**
 * Follows what deliveries say of a stream: fetches the objects that they name, as they are now, or reads its changes.
 * With `rows` it loads the rows that they contain, and needs no provider for that. Those of some seconds are followed
 * together. What comes meanwhile makes a new job.
 */
import { z } from 'zod';
import { isBackfillDue } from '#connectors/kit/stream.ts';
import { messageOf, NightshiftError, verdictOf } from '#runtime/errors.ts';
import { isBlameless } from '#sql/db/faults.ts';
import type { Tx } from '#sql/db/pool.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { forgetHints, noteLoaded, readHints, readUnloaded } from '#sql/webhooks/deliveries.ts';
import { readTrouble, type Work } from '#sql/webhooks/trouble.ts';
import { enqueue } from '../enqueue.ts';
import { IDS_MAX, runStream } from '../sync_stream.ts';
import { defineTask, type Tally, type TaskContext } from '../task.ts';
import { dueAt, endPutOff, putOff } from './trouble.ts';

const TIMEOUT_SECONDS = 60 * 60;
/** Deliveries that are loaded at once. */
const LOADED_AT_ONCE = { max: 200, bytesMax: 16 * 1024 * 1024 };

const payload = z.strictObject({
  brandId: z.uuid(),
  connectionId: z.uuid(),
  stream: z.string(),
  /** Load what was delivered, and ask for nothing. */
  rows: z.literal(true).optional(),
});
export type Followed = z.output<typeof payload>;

export const followDeliveries = defineTask({
  name: 'follow_deliveries',
  payload,
  lane: ({ connectionId }) => `connection:${connectionId}`, // that of `sync_stream`
  key: ({ brandId, connectionId, stream, rows }) =>
    [brandId, connectionId, stream, ...(rows ? ['rows'] : [])].join(':'),
  asksProvider: ({ rows }) => rows !== true,
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  async run(which, context): Promise<Tally> {
    const { db, signal } = context;
    const work = workOf(which);
    const trouble = await readTrouble(db, work);
    if (trouble?.isResting)
      return db.finish(async (tx) => {
        await queueFollow(tx, which);
        return { skipped: 'it failed a moment ago', requests: 0 };
      });
    try {
      return await (which.rows ? loadRows(which, context) : followHints(which, context));
    } catch (error) {
      if (signal.aborted || !isOwnFailure(error)) throw error;
      return db.finish(async (tx) => {
        await putOff(tx, work, messageOf(error));
        await queueFollow(tx, which);
        return { incomplete: messageOf(error), requests: 0 };
      });
    }
  },
});

/** The next run: at once or when it is due, but not while it rests. The last of its transaction. */
export async function queueFollow(
  tx: Tx,
  which: Followed,
  { due, delaySeconds = 0 }: { due?: Date; delaySeconds?: number } = {},
): Promise<void> {
  const trouble = await readTrouble(tx, workOf(which));
  await enqueue(tx, followDeliveries, which, { ...dueAt(due, trouble?.retryAfter), delaySeconds });
}

function workOf({ brandId, connectionId, stream, rows }: Followed): Work {
  return { brandId, connectionId, work: rows ? `${stream} rows` : stream };
}

/** Not one that holds the connection or feeds its breaker, and no fault of the database: those pass by themselves. */
function isOwnFailure(error: unknown): boolean {
  if (isBlameless(error) || verdictOf(error) === 'hold') return false;
  if (!(error instanceof NightshiftError)) return true;
  return error.retryAfterMs === undefined && !PASSING.has(error.code);
}

/** Of the provider, and of this job. */
const PASSING: ReadonlySet<string> = new Set([
  'NS_PROVIDER_UNAVAILABLE',
  'NS_RATE_LIMITED',
  'NS_CONNECTION_GONE',
  'NS_CLAIM_LOST',
]);

async function loadRows(which: Followed, context: TaskContext): Promise<Tally> {
  const { db } = context;
  const { rows: _, ...stream } = which;
  const deliveries = await readUnloaded(db, which, LOADED_AT_ONCE);
  const tally =
    deliveries.length > 0
      ? await runStream({ ...stream, deliveries, isTold: true }, inner(context))
      : { requests: 0 };
  return db.finish(async (tx) => {
    const loaded = deliveries.map(({ number }) => number);
    const isLeft = await noteLoaded(tx, which, loaded);
    await endPutOff(tx, workOf(which));
    if (isLeft) await queueFollow(tx, which);
    return { deliveries: loaded.length, ...tally };
  });
}

async function followHints(which: Followed, context: TaskContext): Promise<Tally> {
  const { db, services, now } = context;
  const stream = services.providers.findStream(which.stream);
  const { ids, isWhole, numbers } = await readHints(db, which, IDS_MAX);
  const position = (await readStates(db, which)).get(which.stream)?.position ?? null;
  // What reads everything, or the rest of it, needs no hints.
  const isRead = numbers.length > 0 && isBackfillDue(stream, position, now());
  const tallies: Tally[] = [];
  if (!isRead && ids.length > 0)
    tallies.push(await runStream({ ...which, ids, isTold: true }, inner(context)));
  let readMs: number | undefined;
  if (!isRead && isWhole) {
    const begunAt = performance.now();
    tallies.push(await runStream({ ...which, isTold: true }, inner(context)));
    readMs = performance.now() - begunAt;
  }
  return db.finish(async (tx) => {
    const due = await forgetHints(tx, which, { numbers, readMs });
    await endPutOff(tx, workOf(which));
    if (due !== undefined) await queueFollow(tx, which, { due });
    const skipped = isRead && { skipped: 'a first load is due' };
    return { hints: numbers.length, requests: 0, ...skipped, ...together(tallies) };
  });
}

/** This run goes on behind those of the stream. */
function inner(context: TaskContext): TaskContext {
  return { ...context, db: { ...context.db, finish: context.db.transaction } };
}

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
