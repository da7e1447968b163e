/**
 * Brings one stream of one connection up to date. The payload says which, and the position is in the
 * database, so a job that runs twice, late or by hand does the same work. A page, its position, its marks and their
 * rollup jobs commit together: a crash costs at most one page.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { newAccountRun } from '#connectors/kit/account_run.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import { finishStreams, isFailure, noteFailures } from './stream_ends.ts';
import { newRun, type ReadingLimits, readStream, type StreamRun } from './stream_run.ts';
import {
  assertOwnAccount,
  isPart,
  newSyncJob,
  type Reading,
  requestFigures,
  type SyncJob,
} from './sync_job.ts';
import { defineTask, type Tally, type TaskContext, TurnOver } from './task.ts';

const TIMEOUT_SECONDS = 6 * 60 * 60;
/** A run that takes longer makes room behind a stored page if jobs of other brands wait for a worker. */
const TURN_MS = 60_000;
export const IDS_MAX = 250;
const ID_CHARS_MAX = 255;

const instant = z.iso.datetime({ offset: true });

const payload = z.strictObject({
  brandId: z.uuid(),
  connectionId: z.uuid(),
  stream: z.string(),
  /** Read this window again; the position stays. */
  since: instant.optional(),
  until: instant.optional(),
  /** Read only these objects; the position stays. */
  ids: z.array(z.string().min(1).max(ID_CHARS_MAX)).min(1).max(IDS_MAX).optional(),
  /** Read everything again. */
  full: z.boolean().optional(),
  /** Identifies one full-sync request across retries, so that a retry skips what is done. */
  request: z.uuid().optional(),
  /** Compare the last weeks with a fresh list, and repair differences. */
  reconcile: z.boolean().optional(),
  now: instant.optional(),
});

export const syncStream = defineTask({
  name: 'sync_stream',
  payload,
  lane: ({ connectionId }) => `connection:${connectionId}`, // providers limit requests per account
  key: ({ brandId, connectionId, stream, full, reconcile, since, until, ids }) =>
    [
      brandId,
      connectionId,
      stream,
      full && 'full',
      reconcile && 'reconcile',
      since,
      until,
      ids && digestOf(ids),
    ]
      .filter(Boolean)
      .join(':'),
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  run: (which, context) => runStream(which, context, TURN_MS),
});

type Which = z.output<typeof payload> & Pick<Reading, 'deliveries' | 'isTold'>;

export async function runStream(
  which: Which,
  context: TaskContext,
  turnMs = Number.POSITIVE_INFINITY,
): Promise<Tally> {
  const { db, services } = context;
  const { brandId, connectionId, stream: name, ...reading } = which;
  const stream = services.providers.findStream(name);
  const connection = await openConnection(db, { brandId, connectionId }, services);
  const states = await readStates(db, which);
  const run = newRun(stream, states.get(name));
  const account = newAccountRun([{ stream, position: run.before.position }]);
  const job = newSyncJob({ connection, context, account, reading });
  try {
    return await sync(job, run, turnMs);
  } catch (error) {
    // If this fails too, the first error is rethrown, and stored with the run.
    if (!(error instanceof TurnOver) && isFailure(job, error))
      await db.transaction((tx) => noteFailures(tx, job, [{ run, error }])).catch(() => {});
    throw error;
  }
}

function digestOf(ids: readonly string[]): string {
  return hash('sha256', ids.toSorted().join('\n')).slice(0, 32);
}

/** A window, chosen objects, a full refresh and a reconciliation may begin anew in each run, and are not cut. */
function limitsOf({ reading, context }: SyncJob, msMax: number): Partial<ReadingLimits> {
  if (isPart(reading) || reading.full || reading.reconcile) return {};
  return { msMax, mayGoOn: async () => !(await context.othersWait()) };
}

async function sync(job: SyncJob, run: StreamRun, turnMs: number): Promise<Tally> {
  const { db } = job.context;
  // What is signed belongs to the account.
  if (job.reading.deliveries === undefined) await assertOwnAccount(job);
  const end = await readStream(job, run, { holdsBack: false, ...limitsOf(job, turnMs) });
  const { repaired, ...read } = end.tally;
  if (read.changed + read.deleted > 0) await db.transaction(analyzeChanged);
  if (end.isCut) throw new TurnOver({ ...read, ...requestFigures(job) });
  return db.finish(async (tx) => {
    const causes = await finishStreams(tx, job, [end]);
    const incomplete = causes.get(run.stream.name);
    return {
      ...read,
      ...(job.reading.reconcile && { repaired }),
      ...requestFigures(job),
      ...(incomplete !== undefined && { incomplete }),
    };
  });
}
