/** Ends runs of streams: stores what `sync status` shows of each, and queues the rollups that waited for it. */
import { isObject } from '#connectors/kit/fields.ts';
import { isDenied } from '#connectors/kit/permission.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { count } from '#runtime/wording.ts';
import { isBlameless } from '#sql/db/faults.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { Owner } from '#sql/dirty/marks.ts';
import { isDayDue } from '#sql/dirty/roll_forward.ts';
import { failedChecks, forgetPassedChecks, namedCauses, recordCheck } from '#sql/load/checks.ts';
import { endedFirstLoads } from '#sql/load/first_loads.ts';
import { ownersOf } from '#sql/load/load_lock.ts';
import { countRejected } from '#sql/load/quarantine.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import { finishRuns, type SyncEnd, savePositions } from '#sql/load/sync_state.ts';
import { cleaned, saveWarnings } from '#sql/load/warnings.ts';
import { tellFinal } from '#sql/restatements/final_days.ts';
import { noteAccountAsked } from '#sql/tenants/account_facts.ts';
import { tellWarnings } from './alerts/warning_alerts.ts';
import { enqueueRollups } from './store_page.ts';
import type { StreamEnd, StreamRun } from './stream_run.ts';
import { isPart, keyOf, type SyncJob } from './sync_job.ts';

/** Returns by stream why it is not complete, if so. */
export async function finishStreams(
  tx: Tx,
  job: SyncJob,
  ends: readonly StreamEnd[],
): Promise<ReadonlyMap<string, string>> {
  if (ends.length === 0) return new Map();
  const { connection, context, reading } = job;
  const key = keyOf(job);
  const now = context.now();
  await storeHeld(tx, key, ends, now);
  if (job.isAccountAsked) await noteAccountAsked(tx, connection, now);
  const causes = await causesOf(tx, job, ends);
  const due: Owner[] = [];
  let isToldOf = false;
  if (!isPart(reading)) {
    const all = ends.map((end) => ({ ...endOf(job, end, causes), run: end }));
    // One after the other, because each checks whether it was the last that others waited for.
    for (const end of all.filter(({ run }) => endsLoad(run))) {
      due.push(...(await endedFirstLoads(tx, { ...key, stream: end.stream }, end.run.isFirstLoad)));
      await finishRuns(tx, key, [end], now);
    }
    await finishRuns(
      tx,
      key,
      all.filter(({ run }) => !endsLoad(run)),
      now,
    );
    isToldOf = await noteWarnings(tx, job, ends);
    // Where nothing has changed no rollup follows, and what changes next finds these days told.
    if (ends.some(({ stream: { feeds = [] } }) => feeds.length > 0)) await tellFinal(tx, key.brandId, now);
  }
  if (await beginsDay(tx, job, ends)) due.push(...(await ownersOf(tx, key)));
  await enqueueRollups(tx, key.brandId, due, reading.now, { keyMode: 'replace' });
  if (isToldOf) await tellWarnings(tx, key, now);
  return causes;
}

/** Stores what the runs warn of. Returns whether that is something else than before. */
async function noteWarnings(tx: Tx, job: SyncJob, ends: readonly StreamEnd[]): Promise<boolean> {
  const changed = ends.flatMap(({ stream, before, warnings, keepsWarnings }) => {
    const said = cleaned(keepsWarnings ? [...before.warnings, ...warnings] : warnings);
    return String(said) === String(before.warnings) ? [] : { stream: stream.name, warnings: said };
  });
  await saveWarnings(tx, keyOf(job), changed);
  return changed.length > 0;
}

async function storeHeld(tx: Tx, key: ConnectionKey, ends: readonly StreamEnd[], now: Date): Promise<void> {
  const positions = ends.flatMap(({ stream, held }) => {
    const position = held.findLast((page) => page.position !== undefined)?.position;
    return position === undefined ? [] : [{ stream: stream.name, position }];
  });
  await savePositions(tx, key, positions, now);
  for (const { stream, held } of ends)
    for (const check of held.flatMap(({ checks = [] }) => checks))
      await recordCheck(tx, { ...key, stream: stream.name }, check, now);
}

async function causesOf(
  tx: Tx,
  job: SyncJob,
  ends: readonly StreamEnd[],
): Promise<ReadonlyMap<string, string>> {
  const { context, reading } = job;
  const key = keyOf(job);
  const streams = ends.map(({ stream }) => stream.name);
  const rejected = await countRejected(tx, key, streams);
  if (reading.reconcile)
    for (const stream of streams) await forgetPassedChecks(tx, { ...key, stream }, context.now());
  // Checks of earlier runs that still fail. A stream is not complete before they pass.
  const failed = isPart(reading) ? [] : await failedChecks(tx, key, streams);
  const causes = new Map<string, string>();
  for (const end of ends) {
    const { stream, causes: found } = end;
    const waiting = rejected.get(stream.name) ?? 0;
    const reasons = [...found];
    if (waiting > 0)
      reasons.push(`${count(waiting, 'record')} could not be understood: see ops.rejected_rows`);
    const still = namedCauses(
      failed.filter((one) => one.stream === stream.name),
      reasons,
    );
    if (reasons.length + still.length === 0 && !isPart(reading)) reasons.push(...unreadOf(end));
    if (reasons.length + still.length > 0) causes.set(stream.name, [...reasons, ...still].join('; '));
  }
  return causes;
}

/** A fault of the stream, without which all would say success, and no day of the figures would ever be final. */
function unreadOf({ stream: { name, feeds = [] }, position }: StreamEnd): string[] {
  const changesTo = isObject(position) ? position.changesTo : undefined;
  if (feeds.length === 0 || changesTo !== undefined || isDenied(position)) return [];
  return [
    `${name} ends without \`changesTo\` in its position, so no day of ${feeds.join(', ')} could be final: please report it`,
  ];
}

type NamedEnd = SyncEnd & { stream: string };

function endOf({ reading }: SyncJob, end: StreamEnd, causes: ReadonlyMap<string, string>): NamedEnd {
  const stream = end.stream.name;
  const cause = causes.get(stream) ?? null;
  const isReconciled = reading.reconcile === true || end.isFirstLoad;
  return { stream, state: cause === null ? 'ok' : 'partial', cause, isReconciled };
}

/** Whether rollups may have waited for it. */
function endsLoad({ isFirstLoad, before: { state } }: StreamEnd): boolean {
  return isFirstLoad || state === 'never' || state === 'failing';
}

/** Whether figures of states, which change with the day alone, have not reached this day yet. */
async function beginsDay(tx: Tx, { connection, context }: SyncJob, ends: readonly StreamEnd[]) {
  if (!ends.some(({ stream }) => stream.hasStates)) return false;
  const { brandId, id } = connection;
  const now = context.now();
  for (const retailerId of await ownersOf(tx, { brandId, connectionId: id }))
    if (await isDayDue(tx, { brandId, retailerId, now }, context.services.rollups)) return true;
  return false;
}

/** Waiting for the provider, a stopping worker, faults of the database and deadlocks are not failures of a stream. */
export function isFailure({ context: { signal } }: SyncJob, error: unknown): boolean {
  const isWaiting = error instanceof NightshiftError && error.retryAfterMs !== undefined;
  return !(isWaiting || signal.aborted || isBlameless(error));
}

export async function noteFailures(
  tx: Tx,
  job: SyncJob,
  runs: readonly { run: StreamRun; error: unknown }[],
): Promise<void> {
  if (isPart(job.reading) || runs.length === 0) return;
  const ends = runs.map(({ run, error }) => ({
    stream: run.stream.name,
    state: 'failing' as const,
    cause: messageOf(error),
  }));
  await finishRuns(tx, keyOf(job), ends, job.context.now());
}
