/** Stores a page in one transaction: its rows, quarantined records, checks, the position and, last, the rollup jobs. */
import type { Page, Stream } from '#connectors/kit/stream.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { Owner } from '#sql/dirty/marks.ts';
import { recordCheck } from '#sql/load/checks.ts';
import { type LoadResult, loadItems } from '#sql/load/load.ts';
import { ownersOf } from '#sql/load/load_lock.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import { redactRejections } from '#sql/load/redact/rejections.ts';
import type { ConnectionKey, StreamKey } from '#sql/load/stream_key.ts';
import { savePositions } from '#sql/load/sync_state.ts';
import type { Cause } from '#sql/rollups/causes.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { type EnqueueOptions, enqueue, SOON_SECONDS } from './enqueue.ts';
import { rollup } from './rollup.ts';

/** After a change its days are rolled up at once: later pages join the waiting job and never postpone it. */
const ROLLUP_DELAY_SECONDS = 1;
/**
 * During a first load rollups would only compete with it, and read tables with outdated statistics; the end of the load
 * makes them due. This delay is for a load that takes long or does not end.
 */
const ROLLUP_DELAY_OF_LOAD_SECONDS = 10 * 60;

export const NOTHING_LOADED: LoadResult = {
  ...{ read: 0, rows: 0, changed: 0, unchanged: 0, stale: 0, deleted: 0, days: 0 },
};

export type Storing = {
  stream: Stream;
  now: Date;
  /** From the payload of the job, for the jobs that follow from it. */
  playedNow?: string | undefined;
  /** A full refresh does not trust stored digests. */
  distrustsDigests: boolean;
  /** Its figures are to follow at once. */
  isTold?: boolean;
  sealer: Sealer;
};

export async function storePage(
  tx: Tx,
  connection: ConnectionKey,
  { stream, now, playedNow, distrustsDigests, isTold = false, sealer }: Storing,
  page: Page,
): Promise<LoadResult> {
  const key: StreamKey = { ...connection, stream: stream.name };
  const { tables, dependents } = page.target ?? stream;
  const reader = page.target?.stream ?? stream.name;
  // What comes with a connection changes nothing that was there: it is new to the brand.
  const cause: Cause | null = page.phase === 'first_load' && !distrustsDigests ? 'mapping' : null;
  const target = { ...connection, stream: reader, tables, dependents, cause, now, sealer };
  const distrusts = page.reconciles === true || distrustsDigests;
  const loaded = isEmpty({ ...page, rejected: [] })
    ? NOTHING_LOADED
    : await loadItems(tx, { ...target, distrustsDigests: distrusts }, page.items, page.deletions);
  await rejectRows(tx, key, await redactRejections(tx, target, page.rejected), now);
  for (const check of page.checks ?? []) await recordCheck(tx, key, check, now);
  if (page.position !== undefined)
    await savePositions(tx, key, [{ stream: stream.name, position: page.position }], now);
  if (loaded.days === 0) return loaded;
  // The owners are read here, because the connection may have been moved since this run began.
  const owners = await ownersOf(tx, connection);
  await enqueueRollups(tx, connection.brandId, owners, playedNow, { delaySeconds: delayOf(page, isTold) });
  return loaded;
}

/** Whether the page contains only a position and checks. */
export function isEmpty({ items, rejected, deletions = [] }: Page): boolean {
  return items.length + rejected.length + deletions.length === 0;
}

function delayOf({ phase }: Page, isTold: boolean): number {
  if (phase === 'first_load') return ROLLUP_DELAY_OF_LOAD_SECONDS;
  return isTold ? SOON_SECONDS : ROLLUP_DELAY_SECONDS;
}

export async function enqueueRollups(
  tx: Tx,
  brandId: string,
  owners: readonly Owner[],
  now: string | undefined,
  options: EnqueueOptions,
): Promise<void> {
  for (const retailerId of new Set(owners))
    await enqueue(tx, rollup, { brandId, retailerId, ...(now && { now }) }, options);
}
