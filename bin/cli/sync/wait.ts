/** Waits for syncs and the jobs that they cause, and reports how each stream ended. */
import type { Db } from '#sql/db/pool.ts';
import { readWarnings } from '#sql/load/warnings.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import { listRetailers } from '#sql/tenants/retailers.ts';
import type { Followed } from '../shared/follow.ts';
import type { Cli } from '../shared/noun.ts';
import type { WaitOptions } from '../shared/options/options.ts';
import type { JobState } from '../shared/queue_state.ts';
import { pendingRollups } from '../shared/rollups_pending.ts';
import type { Session } from '../shared/session.ts';
import { finish } from '../shared/work.ts';
import { count } from '../ui/format.ts';
import type { Row } from '../ui/output.ts';
import type { QueuedSync } from './enqueue.ts';
import { sayWarnings } from './warnings.ts';

/** Rows that changed something, changed nothing, or were older than what is stored. */
const DONE_COLUMNS = [
  ...['connection', 'stream', 'state', 'read', 'changed', 'unchanged', 'stale', 'deleted', 'rejected'],
  'error',
];
const NOTHING_NEW = { read: 0, changed: 0, unchanged: 0, stale: 0, deleted: 0, rejected: 0 };

export async function waitFor(
  cli: Cli,
  session: Session,
  brand: Brand,
  jobs: readonly QueuedSync[],
  { timeout }: WaitOptions,
): Promise<void> {
  const { db } = session;
  const retailerIds = new Set(jobs.map(({ connection }) => connection.retailerId));
  const retailers = (await listRetailers(db, brand.id)).filter(({ id }) => retailerIds.has(id));
  const followed = new Set(jobs.map(({ id }) => id));
  const thenAlso = async () => {
    const left = (await leftJobs(db, jobs)).filter(({ id }) => !followed.has(id));
    for (const { id } of left) followed.add(id);
    return left.length > 0 ? left : pendingRollups(db, brand.id, retailers);
  };
  const states = new Map(
    (await finish(cli, session, jobs, { timeout, thenAlso })).map((one) => [one.id, one]),
  );
  const warned = await warningsOf(db, jobs);
  const rows = jobs.flatMap(({ id, connection, rows }) =>
    rows.map(({ stream, row }) => ({
      ...doneRow(stream, row, { state: states.get(id), states, isAll: rows.length > 1 }),
      ...{ brand: brand.slug, connection: connection.name, stream },
      warnings: warned.get(connection.id)?.get(stream) ?? [],
    })),
  );
  cli.out.list(rows, DONE_COLUMNS);
  sayWarnings(cli, rows);
  cli.out.say(`${count(rows.length, 'sync')} done. See: npx nightshift sync status --brand ${brand.slug}`);
}

/** Of each connection, by stream. */
async function warningsOf(db: Db, jobs: readonly QueuedSync[]) {
  const connections = new Map(jobs.map(({ connection }) => [connection.id, connection]));
  const warned = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const [connectionId, { brandId }] of connections)
    warned.set(connectionId, await readWarnings(db, { brandId, connectionId }));
  return warned;
}

/** Jobs to which runs of accounts left streams: one has to be read completely, or failed. */
async function leftJobs(db: Db, jobs: readonly QueuedSync[]): Promise<Followed[]> {
  const { rows } = await db.query<{ run: string; stream: string; id: string }>(
    `select r.job_id::text as run, s.key as stream, s.value ->> 'job' as id
     from ops.job_runs r, jsonb_each(r.tally -> 'streams') s
     where r.job_id = any ($1::bigint[]) and s.value ->> 'job' is not null order by r.id, s.key`,
    [jobs.map(({ id }) => id)],
  );
  return rows.map(({ run, stream, id }) => {
    const job = jobs.find((one) => one.id === run);
    return { id, label: `${job?.connection.name ?? ''} ${stream}` };
  });
}

type Ended = { state: JobState | undefined; states: ReadonlyMap<string, JobState>; isAll: boolean };
type StreamFigures = Record<string, unknown> & { job?: string; incomplete?: string };

/** What the run of an account says of the stream, or the job that it left the stream to. */
function doneRow(stream: string, row: Row, { state, states, isAll }: Ended): Row {
  if (!isAll && state?.task !== 'sync_connection') return { ...row, ...figuresOf(state) };
  const streams = state?.tally?.streams as Record<string, StreamFigures> | undefined;
  const figures = streams?.[stream] ?? {};
  if (figures.job !== undefined)
    return { ...row, job_id: figures.job, ...figuresOf(states.get(figures.job)) };
  if (!state?.tally) return { ...row, ...figuresOf(state) };
  const { incomplete } = figures;
  return {
    ...row,
    state: incomplete === undefined ? 'succeeded' : 'partial',
    ...{ ...NOTHING_NEW, ...figures },
    ...{ error_code: null, error: incomplete },
  };
}

function figuresOf(state: JobState | undefined): Row {
  return {
    state: state?.state,
    ...state?.tally,
    error_code: state?.error_code,
    error: state?.error_message ?? state?.tally?.incomplete,
  };
}
