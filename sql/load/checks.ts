/**
 * Checks that compare what was read with the provider's own figures. The newest result of each check counts: after a
 * failed one the stream stays incomplete until a later one of the same name passes.
 */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import type { ConnectionKey, StreamKey } from './stream_key.ts';

export type Check = {
  name: string;
  /** Amounts are decimal text. */
  expected?: number | string | null;
  found?: number | string | null;
  ok: boolean;
  cause?: string | null;
};

/** Earlier results of one check that are kept. */
const HISTORY_MAX = 30;
const CAUSES_NAMED_MAX = 5;
/** A passed check that was not repeated for so long is over, such as that of one payout. */
const PASSED_KEPT_DAYS = 400;

/** Replaces the newest result of the check; the previous result is kept if it differs. */
export async function recordCheck(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  { name, expected = null, found = null, ok, cause = null }: Check,
  now = new Date(),
): Promise<void> {
  await tx.query({
    name: 'record check',
    text: RECORD_CHECK,
    values: [
      brandId,
      connectionId,
      stream,
      scrub(name),
      expected,
      found,
      ok,
      cause && scrub(cause),
      now,
      HISTORY_MAX,
    ],
  });
}

// A failure whose cause a person accepted counts as passed. Two results are equal if both pass, or both fail by the same difference. The old row is read without a lock, because
// a locked row would not be visible any more after the statement itself has replaced it.
const RECORD_CHECK = `
  with before as materialized (
    select * from ops.completeness
    where brand_id = $1 and connection_id = $2 and stream = $3 and check_name = $4
  ), result as (
    select $7::boolean or coalesce((select accepted_cause = $8 from before), false) as ok
  ), kept as (
    insert into ops.completeness_history
      (brand_id, connection_id, stream, check_name, expected, found, ok, cause, checked_at)
    select brand_id, connection_id, stream, check_name, expected, found, ok, cause, checked_at from before
    where ok <> (select ok from result) or (not ok and expected - found is distinct from $5::numeric - $6::numeric)
    returning 1
  ), forgotten as (
    delete from ops.completeness_history where id in (
      select id from ops.completeness_history
      where brand_id = $1 and connection_id = $2 and stream = $3 and check_name = $4
      order by id desc offset $10::int - 1)
      and exists (select from kept)
  )
  insert into ops.completeness as c
    (brand_id, connection_id, stream, check_name, expected, found, ok, cause, checked_at, result_since, ok_at)
  select $1, $2, $3, $4, $5::numeric, $6::numeric, r.ok, $8, $9::timestamptz, $9::timestamptz,
         case when r.ok then $9::timestamptz end
  from result r
  on conflict (brand_id, connection_id, stream, check_name) do update
  set expected = excluded.expected, found = excluded.found, ok = excluded.ok, cause = excluded.cause,
      checked_at = excluded.checked_at, ok_at = coalesce(excluded.ok_at, c.ok_at),
      result_since = case
        when c.ok <> excluded.ok then excluded.result_since
        when c.ok or c.expected - c.found is not distinct from excluded.expected - excluded.found then c.result_since
        else excluded.result_since end`;

export type FailedCheck = { stream: string; name: string; cause: string };

/** Failed checks of streams of a connection, by their newest result; of all streams without `streams`. */
export async function failedChecks(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  streams?: readonly string[],
): Promise<FailedCheck[]> {
  const { rows } = await db.query<FailedCheck>(
    `select stream, check_name as name,
            coalesce(cause, format('%s: expected %s, found %s', check_name, trim_scale(expected), trim_scale(found))) as cause
     from ops.completeness
     where brand_id = $1 and connection_id = $2 and not ok and ($3::text[] is null or stream = any ($3))
     order by stream, check_name`,
    [brandId, connectionId, streams ?? null],
  );
  return rows;
}

/** For each failed check of a stream, when it last passed, or was first made. */
export async function failingSince(
  db: Reader,
  { brandId, connectionId, stream }: StreamKey,
): Promise<ReadonlyMap<string, Date>> {
  const { rows } = await db.query<{ name: string; since: Date }>(
    `select check_name as name, coalesce(ok_at, result_since) as since from ops.completeness
     where brand_id = $1 and connection_id = $2 and stream = $3 and not ok`,
    [brandId, connectionId, stream],
  );
  return new Map(rows.map(({ name, since }) => [name, since]));
}

/**
 * Accepts why a check fails: it passes, also when it fails for the same cause again. False if no failed check has the
 * name.
 */
export async function acceptCheck(
  tx: Tx,
  { brandId, connectionId, connection, stream }: StreamKey & { connection: string },
  name: string,
): Promise<boolean> {
  const { rows } = await tx.query<{ cause: string | null }>(
    `update ops.completeness set ok = true, ok_at = now(), result_since = now(), accepted_cause = cause
     where brand_id = $1 and connection_id = $2 and stream = $3 and check_name = $4 and not ok
     returning cause`,
    [brandId, connectionId, stream, name],
  );
  const [row] = rows;
  if (row === undefined) return false;
  const details = { stream, check: name, cause: row.cause };
  await recordAction(tx, { action: 'sync.accept', brandId, target: connection, details });
  return true;
}

/** Causes for a state: the first few that are not in `known`, and the number of further ones. */
export function namedCauses(failed: readonly FailedCheck[], known: readonly string[]): string[] {
  const fresh = failed.map(({ cause }) => cause).filter((cause) => !known.some((one) => one.includes(cause)));
  const more = fresh.length - CAUSES_NAMED_MAX;
  return more > 0 ? [...fresh.slice(0, CAUSES_NAMED_MAX), `and ${more} more checks fail`] : fresh;
}

/** Deletes results that passed long ago; a failure stays until it passes. */
export async function forgetPassedChecks(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  now: Date,
): Promise<void> {
  const which = 'brand_id = $1 and connection_id = $2 and stream = $3';
  const values = [brandId, connectionId, stream, now, PASSED_KEPT_DAYS];
  const isOver = "checked_at < $4::timestamptz - $5 * interval '1 day'";
  await tx.query(`delete from ops.completeness where ${which} and ok and ${isOver}`, values);
  await tx.query(`delete from ops.completeness_history where ${which} and ${isOver}`, values);
}
