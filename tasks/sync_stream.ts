/**
 * Brings one stream of one connection up to date. The payload says which; where to go on from is in
 * the database, so a job that runs twice, late or by hand does the same work. A page, its position,
 * its dirty days and their rollup commit together: a crash costs one page at most.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { newRequestStats, type RequestStats } from '#connectors/kit/retry.ts';
import type { Page, Stream, StreamContext } from '#connectors/kit/stream.ts';
import { assertAccount } from '#connectors/providers.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { count } from '#runtime/wording.ts';
import { isDatabaseFault } from '#sql/db/faults.ts';
import type { Tx } from '#sql/db/pool.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import type { Owner } from '#sql/dirty/marks.ts';
import { isDayDue } from '#sql/dirty/roll_forward.ts';
import { failedChecks, forgetPassedChecks, namedCauses, recordCheck } from '#sql/load/checks.ts';
import { endedFirstLoads } from '#sql/load/first_loads.ts';
import { type LoadResult, loadItems } from '#sql/load/load.ts';
import { ownersOf } from '#sql/load/load_lock.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import { finishRun, readPosition, type SyncEnd, savePosition } from '#sql/load/sync_state.ts';
import { noteAccountAsked } from '#sql/tenants/account_facts.ts';
import { type OpenConnection, openConnection } from '#sql/tenants/connections.ts';
import { enqueue } from './enqueue.ts';
import { rollup } from './rollup.ts';
import { defineTask, type Tally, type TaskContext } from './task.ts';

const TIMEOUT_SECONDS = 6 * 60 * 60;
/** After a change its days are rolled up at once: later pages join the waiting job and never postpone it. */
const ROLLUP_DELAY_SECONDS = 1;
/**
 * During a first load rollups would only compete with it, and read tables that have outgrown what PostgreSQL
 * knows of them; its end makes them run. This is for a load that takes long, or does not end.
 */
const ROLLUP_DELAY_OF_LOAD_SECONDS = 10 * 60;
/** A run that goes on looks after so many rows, and each time that they are so many times more, what it changed. */
const ROWS_WORTH_STATISTICS = 10_000;
const GROWTH_WORTH_STATISTICS = 2;
const IDS_MAX = 250;
const ID_CHARS_MAX = 255;
const EPOCH = new Date(0);

const instant = z.iso.datetime({ offset: true });

const payload = z.strictObject({
  brandId: z.uuid(),
  connectionId: z.uuid(),
  stream: z.string(),
  /** Read this window again; the position stays where it is. */
  since: instant.optional(),
  until: instant.optional(),
  /** Read these objects and no others; the position stays where it is. */
  ids: z.array(z.string().min(1).max(ID_CHARS_MAX)).min(1).max(IDS_MAX).optional(),
  /** Read everything again. */
  full: z.boolean().optional(),
  /** Of a full one, who asked: a retry has the same, and does not repeat what it has behind it. */
  request: z.uuid().optional(),
  /** Hold what is stored of the last weeks against a fresh list, and mend what differs. */
  reconcile: z.boolean().optional(),
  now: instant.optional(),
});

type Run = {
  connection: OpenConnection;
  stream: Stream;
  context: TaskContext;
  payload: z.output<typeof payload>;
  /** The provider was asked whose key it is, which has yet to be noted. */
  isAccountAsked?: boolean;
};

export const syncStream = defineTask({
  name: 'sync_stream',
  payload,
  lane: ({ connectionId }) => `connection:${connectionId}`, // providers count calls per account
  key: ({ connectionId, stream, full, reconcile, since, until, ids }) =>
    [connectionId, stream, full && 'full', reconcile && 'reconcile', since, until, ids && digestOf(ids)]
      .filter(Boolean)
      .join(':'),
  attempts: 8,
  timeoutSeconds: TIMEOUT_SECONDS,
  async run(which, context) {
    const { db, services } = context;
    const stream = services.providers.findStream(which.stream);
    const connection = await openConnection(db, which.brandId, which.connectionId, services);
    const run: Run = { connection, stream, context, payload: which };
    try {
      return await sync(run);
    } catch (error) {
      await noteFailure(run, error);
      throw error;
    }
  },
});

function digestOf(ids: readonly string[]): string {
  return hash('sha256', ids.toSorted().join('\n')).slice(0, 32);
}

async function sync(run: Run): Promise<Tally> {
  const { db, now, progress } = run.context;
  const stats = newRequestStats();
  const tally = newTally();
  const warnings = new Set<string>();
  const causes = new Set<string>();
  let isFirstLoad = false;
  let rowsWorthStatistics = ROWS_WORTH_STATISTICS;
  for await (const page of await pagesOf(run, stats, warnings)) {
    isFirstLoad ||= page.phase === 'first_load';
    progress({
      objects: tally.read + page.items.length,
      announced: page.announced ?? null,
      phase: page.phase,
    });
    const loaded = await db.transaction((tx) => storePage(tx, run, page));
    run.isAccountAsked = false;
    add(tally, loaded, page);
    if (page.reconciles) tally.repaired += loaded.changed + loaded.deleted;
    if (page.incomplete) causes.add(page.incomplete);
    if (tally.rows < rowsWorthStatistics) continue;
    rowsWorthStatistics = GROWTH_WORTH_STATISTICS * tally.rows;
    await db.transaction(analyzeChanged);
  }
  if (tally.changed + tally.deleted > 0) await db.transaction(analyzeChanged);
  await db.transaction(async (tx) => {
    const rejected = await countRejected(tx, run);
    if (rejected > 0)
      causes.add(`${count(rejected, 'record')} could not be understood: see ops.rejected_rows`);
    if (!isPart(run)) for (const cause of await stillFailing(tx, run, [...causes])) causes.add(cause);
    const cause = [...causes].join('; ') || null;
    const isReconciled = run.payload.reconcile === true || isFirstLoad;
    const { connection, stream } = run;
    const which = { brandId: connection.brandId, connectionId: connection.id, stream: stream.name };
    const due = isPart(run) ? [] : await endedFirstLoads(tx, which, isFirstLoad);
    if (await beginsDay(tx, run)) due.push(...(await ownersOf(tx, connection.brandId, connection.id)));
    await noteEnd(tx, run, { state: cause ? 'partial' : 'ok', cause, isReconciled, now: now() });
    await enqueueRollups(tx, run, due, { keyMode: 'replace' });
  });
  const { repaired, ...read } = tally;
  return {
    ...read,
    ...(run.payload.reconcile && { repaired }),
    requests: stats.requests,
    bytes: stats.bytes,
    waited_ms: stats.waitedMs,
    ...(warnings.size > 0 && { warning: [...warnings].join('; ') }),
    ...(causes.size > 0 && { incomplete: [...causes].join('; ') }),
  };
}

async function pagesOf(run: Run, stats: RequestStats, warnings: Set<string>): Promise<AsyncIterable<Page>> {
  const { connection, stream, payload, context } = run;
  const { job, db, services, now, signal, log } = context;
  const { since, until, full = false, reconcile = false } = payload;
  const position = await readPosition(db, connection.brandId, connection.id, stream.name);
  const window = { since: since ? new Date(since) : EPOCH, until: until ? new Date(until) : now() };
  const warn = (warning: string) => void warnings.add(warning);
  run.isAccountAsked = await assertAccount(services.providers, {
    connection,
    db,
    sealer: services.sealer,
    signal,
    stats,
    warn,
    now,
  });
  const asked: StreamContext = {
    ...{ connection, db, position, full, reconcile, now, signal, stats, log, warn },
    request: payload.request ?? job,
    sealer: services.sealer,
    ...((since ?? until) !== undefined && { window }),
  };
  if (payload.ids === undefined) return stream.pages(asked);
  if (stream.fetch === undefined) throw new TypeError(`${stream.name} has nothing to be fetched by id`);
  return stream.fetch(asked, payload.ids);
}

/** A page as a whole: its rows, what was rejected, the checks, the position and, last, the rollup. */
async function storePage(tx: Tx, run: Run, page: Page): Promise<LoadResult> {
  const { connection, stream, context } = run;
  const { brandId, id: connectionId } = connection;
  const now = context.now();
  const { tables, dependents } = page.target ?? stream;
  const reader = page.target?.stream ?? stream.name;
  const hasRows = page.items.length + (page.deletions?.length ?? 0) > 0;
  const loaded = hasRows
    ? await loadItems(
        tx,
        // What somebody asks to be read again whole, or held against the provider's own, is not believed to
        // be what it was once.
        {
          brandId,
          connectionId,
          stream: reader,
          tables,
          dependents,
          now,
          distrustsDigests: page.reconciles === true || run.payload.full === true,
        },
        page.items,
        page.deletions,
      )
    : NOTHING_LOADED;
  if (run.isAccountAsked) await noteAccountAsked(tx, connection, now);
  await rejectRows(tx, brandId, connectionId, stream.name, page.rejected, now);
  for (const check of page.checks ?? [])
    await recordCheck(tx, brandId, connectionId, stream.name, check, now);
  if (page.position) await savePosition(tx, brandId, connectionId, stream.name, page.position, now);
  // For those to whom the marks belong: the connection may have been moved since this run began.
  if (loaded.days > 0)
    await enqueueRollups(tx, run, await ownersOf(tx, brandId, connectionId), { delaySeconds: delayOf(page) });
  return loaded;
}

function delayOf({ phase }: Page): number {
  return phase === 'first_load' ? ROLLUP_DELAY_OF_LOAD_SECONDS : ROLLUP_DELAY_SECONDS;
}

/** Whether figures of states, which change with the day alone, have yet to come to this one. */
async function beginsDay(tx: Tx, { connection: { brandId, retailerId }, stream, context }: Run) {
  if (!stream.hasStates || retailerId === null) return false;
  return isDayDue(tx, { brandId, retailerId, now: context.now() });
}

async function enqueueRollups(
  tx: Tx,
  { connection: { brandId }, payload: { now } }: Run,
  owners: readonly Owner[],
  options: Parameters<typeof enqueue>[3],
): Promise<void> {
  for (const retailerId of new Set(owners))
    await enqueue(tx, rollup, { brandId, retailerId, ...(now && { now }) }, options);
}

async function countRejected(tx: Tx, { connection, stream }: Run): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    'select count(*)::int as n from ops.rejected_rows where brand_id = $1 and connection_id = $2 and stream = $3',
    [connection.brandId, connection.id, stream.name],
  );
  return rows[0]?.n ?? 0;
}

/** What earlier runs found missing and no check has found since. A stream is not whole before that. */
async function stillFailing(tx: Tx, run: Run, known: readonly string[]): Promise<string[]> {
  const { connection, stream } = run;
  const which = { brandId: connection.brandId, connectionId: connection.id, stream: stream.name };
  if (run.payload.reconcile) await forgetPassedChecks(tx, which, run.context.now());
  return namedCauses(await failedChecks(tx, which), known);
}

/** A run that reads a part again tells nothing of how far the stream is. */
function isPart({ payload }: Run): boolean {
  return (payload.since ?? payload.until ?? payload.ids) !== undefined;
}

/** The state that `sync status` shows: how far the stream is, of which a window read again says nothing. */
async function noteEnd(tx: Tx, run: Run, end: SyncEnd): Promise<void> {
  if (isPart(run)) return;
  await finishRun(tx, run.connection.brandId, run.connection.id, run.stream.name, end);
}

/** Waiting for the provider, being told to stop and faults of the database are no failures of the stream. */
async function noteFailure(run: Run, error: unknown): Promise<void> {
  const { db, now, signal } = run.context;
  const isWaiting = error instanceof NightshiftError && error.retryAfterMs !== undefined;
  if (isWaiting || signal.aborted || isDatabaseFault(error)) return;
  const end = { state: 'failing', cause: messageOf(error), now: now() } as const;
  // If this fails too, the first error is the one to tell: it is thrown on, and stored with the run.
  await db.transaction((tx) => noteEnd(tx, run, end)).catch(() => {});
}

const NOTHING_LOADED: LoadResult = {
  ...{ read: 0, rows: 0, changed: 0, unchanged: 0, stale: 0, deleted: 0, days: 0 },
};

function newTally() {
  return { ...NOTHING_LOADED, rejected: 0, pages: 0, repaired: 0 };
}

function add(tally: ReturnType<typeof newTally>, loaded: LoadResult, page: Page): void {
  for (const key of ['read', 'rows', 'changed', 'unchanged', 'stale', 'deleted', 'days'] as const)
    tally[key] += loaded[key];
  tally.rejected += page.rejected.length;
  tally.pages++;
}
