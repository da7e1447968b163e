/**
 * Brings the streams of an account up to date, one after the other, so that common requests are sent once. Streams
 * without news end together, in one transaction. A stream that must be read completely gets a job of its own, and so
 * does one that fails: it is retried separately, and stops no other.
 */
import { z } from 'zod';
import { newAccountRun } from '#connectors/kit/account_run.ts';
import type { Stream } from '#connectors/kit/stream.ts';
import { NightshiftError, verdictOf } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import { readStates } from '#sql/load/sync_state.ts';
import { openConnection } from '#sql/tenants/connections.ts';
import type { EnqueueOptions } from './enqueue.ts';
import { requestSync } from './request_sync.ts';
import { spread } from './spread.ts';
import { NOTHING_LOADED } from './store_page.ts';
import { finishStreams, isFailure, noteFailures } from './stream_ends.ts';
import { readStream, type StreamEnd, type StreamRun, splitRuns, unread } from './stream_run.ts';
import { assertOwnAccount, keyOf, newSyncJob, requestFigures, type SyncJob } from './sync_job.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

const TIMEOUT_SECONDS = 6 * 60 * 60;
/** The pause before the own job of a failed stream, like the pause after a failed run. */
const RETRY_DELAY_SECONDS = 5;

/** A stream that takes longer goes on in its own job, so that those behind it get their turn. */
const STREAM_MS_MAX = 15 * 60_000;

const payload = z.strictObject({
  brandId: z.uuid(),
  connectionId: z.uuid(),
  now: z.iso.datetime({ offset: true }).optional(),
});

export const syncConnection = defineTask({
  name: 'sync_connection',
  payload,
  lane: ({ connectionId }) => `connection:${connectionId}`, // that of `sync_stream`
  key: ({ brandId, connectionId }) => `${brandId}:${connectionId}`,
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  // Spreads a thousand accounts over time.
  schedules: [{ name: 'sync', of: 'connection', expression: (id) => `${spread(id, 60)} * * * *` }],
  run: (which, context) => syncAccount(which, context, STREAM_MS_MAX),
});

export async function syncAccount(
  { now: playedNow, ...which }: z.output<typeof payload>,
  context: TaskContext,
  streamMsMax: number,
): Promise<Tally> {
  const { db, services, now } = context;
  const connection = await openConnection(db, which, services);
  const states = await readStates(db, which);
  const { streams } = services.providers.providerOf(connection.provider);
  const { apart, shared, paused } = splitRuns(streams, states, now());
  // With the paused ones: the last stream that is read is no stream that a person asked for alone.
  const all = [...shared, ...paused].map(({ stream, before: { position } }) => ({ stream, position }));
  const account = newAccountRun(all);
  const job = newSyncJob({ connection, context, account, reading: { now: playedNow } });
  const course: Course = { apart, quiet: paused.map(unread), ended: [], cut: [], failed: [] };
  try {
    await readAll(job, shared, course, streamMsMax);
  } catch (error) {
    // What was read until here stays. If this fails too, the first error is reported.
    await settle(job, course).catch(() => {});
    throw error;
  }
  const together = course.failed.find(({ error }) => account.isShared(error));
  if (together !== undefined) {
    await settle(job, course);
    throw together.error; // this job repeats the request for all of them
  }
  const jobs = await requestRest(job, course);
  return db.finish(async (tx) =>
    tallyOf(job, course, { causes: await noteEnds(tx, job, course, jobs), jobs }),
  );
}

type Failed = { run: StreamRun; error: unknown };

/** The state of the streams so far. */
type Course = {
  /** Streams that must be read completely. */
  apart: readonly StreamRun[];
  /** Streams without news, and those that are not asked for, which end together. */
  quiet: StreamEnd[];
  ended: (StreamEnd & { incomplete: string | undefined })[];
  /** They took too long, and are read on by jobs of their own. */
  cut: StreamEnd[];
  failed: Failed[];
};

async function readAll(
  job: SyncJob,
  runs: readonly StreamRun[],
  course: Course,
  msMax: number,
): Promise<void> {
  if (runs.length === 0) return;
  const { db } = job.context;
  try {
    await assertOwnAccount(job);
  } catch (error) {
    course.failed.push(...runs.map((run) => ({ run, error })));
    throw error;
  }
  for (const run of runs) {
    try {
      const end = await readStream(job, run, { holdsBack: true, msMax });
      if (end.isCut) course.cut.push(end);
      else if (end.tally.pages > 0) {
        const causes = await db.transaction((tx) => finishStreams(tx, job, [end]));
        course.ended.push({ ...end, incomplete: causes.get(run.stream.name) });
      } else course.quiet.push(end);
    } catch (error) {
      course.failed.push({ run, error });
      if (stopsAll(job, error)) throw error;
    }
  }
  if ([...course.ended, ...course.cut].some(({ tally }) => tally.changed + tally.deleted > 0))
    await db.transaction(analyzeChanged);
}

/** Whether the other streams would fail alike: the account is held or limited, or this run is over. */
function stopsAll(job: SyncJob, error: unknown): boolean {
  const isLost = error instanceof NightshiftError && error.code === 'NS_CLAIM_LOST';
  return isLost || !isFailure(job, error) || verdictOf(error) === 'hold';
}

/** What settling gives: the cause for each incomplete stream, and the job that each remaining stream got. */
type Settled = { causes: ReadonlyMap<string, string>; jobs: ReadonlyMap<string, string> };

/** In two transactions, because in each of them the queue comes last. Until this job ends, its lane holds the others. */
async function settle(job: SyncJob, course: Course): Promise<void> {
  const jobs = await requestRest(job, course);
  await job.context.db.transaction((tx) => noteEnds(tx, job, course, jobs));
}

/** Failures of one stream alone, which a job of its own repeats. */
function failedAlone(job: SyncJob, { failed }: Course): Failed[] {
  return failed.filter(
    ({ error }) => isFailure(job, error) && !stopsAll(job, error) && !job.account.isShared(error),
  );
}

/** Queues a job for each stream that this one does not read, or not to its end. Returns them by stream. */
async function requestRest(job: SyncJob, course: Course): Promise<Map<string, string>> {
  const own = [
    ...course.apart.map(({ stream }) => ({ stream, options: { priority: 'bulk' } as const })),
    ...course.cut.map(({ stream }) => ({ stream, options: {} })),
    ...failedAlone(job, course).map(({ run: { stream } }) => ({
      stream,
      options: { delaySeconds: RETRY_DELAY_SECONDS },
    })),
  ];
  const jobs = new Map<string, string>();
  if (own.length > 0) await job.context.db.transaction((tx) => requestOwn(tx, job, own, jobs));
  return jobs;
}

/** Ends the quiet streams and stores the failures. Returns the cause for each incomplete stream. */
async function noteEnds(
  tx: Tx,
  job: SyncJob,
  course: Course,
  jobs: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  await noteFailures(
    tx,
    job,
    course.failed.filter(({ error }) => isFailure(job, error)),
  );
  const causes = await finishStreams(tx, job, course.quiet);
  const told = failedAlone(job, course).map(({ run: { stream } }) => {
    return [stream.name, `failed, tried again by job ${jobs.get(stream.name)}`] as const;
  });
  return new Map([...causes, ...told]);
}

async function requestOwn(
  tx: Tx,
  job: SyncJob,
  own: readonly { stream: Stream; options: EnqueueOptions }[],
  jobs: Map<string, string>,
): Promise<void> {
  for (const { stream, options } of own) {
    const payload = { ...keyOf(job), stream: stream.name, ...(job.reading.now && { now: job.reading.now }) };
    jobs.set(stream.name, await requestSync(tx, payload, options));
  }
}

/** Sums over all streams, and the figures of each that has some. */
function tallyOf(job: SyncJob, { ended, quiet, cut }: Course, { causes, jobs }: Settled): Tally {
  const sums = { ...NOTHING_LOADED, rejected: 0, pages: 0 };
  const streams: Record<string, object> = {};
  const incomplete: string[] = [];
  const tell = (stream: string, figures: object, cause: string | undefined) => {
    streams[stream] = { ...figures, ...(cause !== undefined && { incomplete: cause }) };
    if (cause !== undefined) incomplete.push(`${stream}: ${cause}`);
  };
  for (const end of [...ended, ...cut.map((one) => ({ ...one, incomplete: undefined }))]) {
    const { repaired: _, ...figures } = end.tally;
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += figures[name];
    tell(end.stream.name, figures, end.incomplete);
  }
  for (const [stream, cause] of causes) tell(stream, {}, cause);
  for (const [stream, id] of jobs) streams[stream] = { ...streams[stream], job: id };
  return {
    ...sums,
    quiet: quiet.length,
    ...(Object.keys(streams).length > 0 && { streams }),
    ...requestFigures(job),
    ...(incomplete.length > 0 && { incomplete: incomplete.join('; ') }),
  };
}
