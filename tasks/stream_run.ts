/**
 * The run of a stream, in a job of its own or in that of its account: its pages are stored one by one, and at the end
 * `finishStreams` (stream_ends.ts) stores the position and the outcome.
 */
import { isPaused } from '#connectors/kit/permission.ts';
import { isBackfillDue, type Page, type Stream, type StreamContext } from '#connectors/kit/stream.ts';
import { analyzeChanged } from '#sql/db/statistics.ts';
import type { LoadResult } from '#sql/load/load.ts';
import type { SyncState } from '#sql/load/sync_state.ts';
import { WARNINGS_MAX } from '#sql/load/warnings.ts';
import { noteAccountAsked } from '#sql/tenants/account_facts.ts';
import { isEmpty, NOTHING_LOADED, storePage } from './store_page.ts';
import { keyOf, type SyncJob } from './sync_job.ts';

/** A long run analyzes changed tables after this many rows, and each time their number has grown by this factor. */
const ROWS_WORTH_STATISTICS = 10_000;
const GROWTH_WORTH_STATISTICS = 2;
const EPOCH = new Date(0);

export type StreamRun = {
  stream: Stream;
  before: SyncState;
  /** What it warns of. */
  warnings: Set<string>;
  /** It does not look whether what the run before warned of still holds. */
  keepsWarnings: boolean;
};

const NEVER_READ: SyncState = { position: null, state: 'never', warnings: [], keyAt: null };

export function newRun(stream: Stream, before: SyncState = NEVER_READ): StreamRun {
  return { stream, before, warnings: new Set(), keepsWarnings: false };
}

/**
 * `apart`: streams that must be read completely, each in a job of its own; a run of the account reads the `shared`, and
 * ends the `paused` without asking: their provider denies them.
 */
export function splitRuns(
  streams: readonly Stream[],
  states: ReadonlyMap<string, SyncState>,
  now: Date,
): { apart: StreamRun[]; shared: StreamRun[]; paused: StreamRun[] } {
  const split = { apart: [] as StreamRun[], shared: [] as StreamRun[], paused: [] as StreamRun[] };
  for (const stream of streams) {
    const run = newRun(stream, states.get(stream.name));
    const { position, keyAt } = run.before;
    if (isPaused(position, { keyAt, now })) split.paused.push({ ...run, keepsWarnings: true });
    else split[isBackfillDue(stream, position, now) ? 'apart' : 'shared'].push(run);
  }
  return split;
}

export type StreamTally = LoadResult & { rejected: number; pages: number; repaired: number };

/** The result of a run. */
export type StreamEnd = StreamRun & {
  tally: StreamTally;
  causes: Set<string>;
  isFirstLoad: boolean;
  /** As the last page that has one left it. */
  position: unknown;
  /** Pages without content that are not stored yet. */
  held: readonly Page[];
  /** It took too long: what comes behind its last stored page is not read. */
  isCut: boolean;
};

/** The end of a run that asks for nothing. */
export function unread(run: StreamRun): StreamEnd {
  const tally = { ...NOTHING_LOADED, rejected: 0, pages: 0, repaired: 0 };
  const { position } = run.before;
  return { ...run, tally, causes: new Set(), isFirstLoad: false, position, held: [], isCut: false };
}

/**
 * `holdsBack`: see below. `msMax`: a stream that takes longer is cut behind a stored page. `mayGoOn` is asked after that
 * time where the rest could be lost sight of: only behind a page that stores a position, and while nothing is missing.
 */
export type ReadingLimits = { holdsBack: boolean; msMax?: number; mayGoOn?: () => Promise<boolean> };

/**
 * Reads a stream to its end. With `holdsBack` a page without content waits for the end, so that streams without news
 * can end together; a page with content is stored as it comes, with all that follow.
 */
export async function readStream(
  job: SyncJob,
  run: StreamRun,
  { holdsBack, msMax = Number.POSITIVE_INFINITY, mayGoOn }: ReadingLimits,
): Promise<StreamEnd> {
  const begunAt = performance.now();
  const { db, progress } = job.context;
  const tally: StreamTally = { ...NOTHING_LOADED, rejected: 0, pages: 0, repaired: 0 };
  const causes = new Set<string>();
  const held: Page[] = [];
  let { position } = run.before;
  let isFirstLoad = false;
  let isCut = false;
  let rowsWorthStatistics = ROWS_WORTH_STATISTICS;
  for await (const page of pagesOf(job, run)) {
    isFirstLoad ||= page.phase === 'first_load';
    position = page.position ?? position;
    if (page.incomplete) causes.add(page.incomplete);
    const objects = tally.read + page.items.length;
    progress({ objects, announced: page.announced ?? null, phase: page.phase });
    held.push(page);
    if (holdsBack && tally.pages === 0 && isEmpty(page)) continue;
    for (const one of held.splice(0)) add(tally, await store(job, run, one), one);
    isCut = performance.now() - begunAt >= msMax;
    if (isCut && mayGoOn) isCut = page.position !== undefined && causes.size === 0 && !(await mayGoOn());
    if (isCut) break;
    if (tally.rows < rowsWorthStatistics) continue;
    rowsWorthStatistics = GROWTH_WORTH_STATISTICS * tally.rows;
    await db.transaction(analyzeChanged);
  }
  return { ...run, tally, causes, isFirstLoad, position, held, isCut };
}

function pagesOf(job: SyncJob, run: StreamRun): AsyncIterable<Page> {
  const { connection, context, reading, account, stats } = job;
  const { stream, before } = run;
  const { db, services, now, signal, log } = context;
  const { since, until, ids, deliveries, full = false, reconcile = false } = reading;
  const window = { since: since ? new Date(since) : EPOCH, until: until ? new Date(until) : now() };
  const given: StreamContext = {
    ...{ connection, db, account, full, reconcile, now, signal, stats, log },
    position: before.position,
    warn(warning) {
      for (const { warnings } of [job, run]) if (warnings.size < WARNINGS_MAX) warnings.add(warning);
    },
    keepWarnings() {
      run.keepsWarnings = true;
    },
    request: reading.request ?? context.job,
    sealer: services.sealer,
    ...((since ?? until) !== undefined && { window }),
  };
  if (deliveries !== undefined) {
    if (stream.deliver === undefined) throw new TypeError(`${stream.name} is not delivered`);
    return stream.deliver(given, deliveries);
  }
  if (ids === undefined) return stream.pages(given);
  if (stream.fetch === undefined) throw new TypeError(`${stream.name} cannot be fetched by id`);
  return stream.fetch(given, ids);
}

async function store(job: SyncJob, { stream }: StreamRun, page: Page): Promise<LoadResult> {
  const { connection, context, reading, isAccountAsked } = job;
  const now = context.now();
  const { isTold = false } = reading;
  const { sealer } = context.services;
  const distrustsDigests = reading.full === true;
  const storing = { stream, now, playedNow: reading.now, distrustsDigests, isTold, sealer };
  const loaded = await context.db.transaction(async (tx) => {
    if (isAccountAsked) await noteAccountAsked(tx, connection, now);
    return storePage(tx, keyOf(job), storing, page);
  });
  job.isAccountAsked = false;
  return loaded;
}

function add(tally: StreamTally, loaded: LoadResult, page: Page): void {
  for (const key of Object.keys(NOTHING_LOADED) as (keyof LoadResult)[]) tally[key] += loaded[key];
  if (page.reconciles) tally.repaired += loaded.changed + loaded.deleted;
  tally.rejected += page.rejected.length;
  tally.pages++;
}
