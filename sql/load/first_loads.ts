/**
 * Makes rollups wait for first loads. While a stream is being read for the first time, figures of its retailer or of
 * the brand would only be computed twice, and from tables without statistics. Such a stream has a row in state `never`
 * that names its job. A job that is dead, held, gone or due later reads nothing now, so nothing waits for its stream.
 */
import type { Tx } from '../db/pool.ts';
import type { Owner } from '../dirty/marks.ts';
import { ownersOf } from './load_lock.ts';
import type { StreamKey } from './stream_key.ts';

/**
 * In the transaction that queues the run, after it, because runs also lock the row of their job first and this one
 * next. While the named job may run, the row stays as it is, so that its run blocks nobody here.
 */
export async function noteFirstLoad(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  job: string,
): Promise<void> {
  const values = [brandId, connectionId, stream, job];
  const { rowCount } = await tx.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, updated_at, first_load_job)
     values ($1, $2, $3, 'null', now(), $4) on conflict do nothing`,
    values,
  );
  if (rowCount === 1) return;
  await tx.query(
    `update ops.positions p set first_load_job = $4
     where p.brand_id = $1 and p.connection_id = $2 and p.stream = $3 and p.state = 'never' and not (${IS_LOADING})`,
    values,
  );
}

/** Whether the job of position `p` runs, or would if a worker were free. */
const IS_LOADING = `
  exists (
    select from ops.jobs j
    where j.job_id = p.first_load_job
      and (j.state = 'running' or j.state in ('waiting', 'retrying') and j.run_at <= now()))`;

/**
 * The owners whose rollups need not wait any longer, because a run ends a load that has left marks, or a waiting rollup whose
 * marks another one has taken: it was the first load itself, or the stream has not been whole until now. While other streams of
 * connections of the same owner are being read for the first time, the last of them does it. A retailer waits for none of the
 * whole brand, even if a part of it is its own: what these bring is in figures of the brand.
 */
export async function endedFirstLoads(tx: Tx, which: StreamKey, isFirstLoad: boolean): Promise<Owner[]> {
  const { brandId, connectionId, stream } = which;
  const owners = await ownersOf(tx, { brandId, connectionId });
  // Of two loads that end at the same moment the second one sees that the first has ended. Both lock in the order
  // of `ownersOf`.
  for (const owner of owners)
    await tx.query("select pg_advisory_xact_lock(hashtextextended('end of load ' || $1 || ' ' || $2, 0))", [
      ...[brandId, owner ?? 'brand'],
    ]);
  const { rows } = await tx.query<{ owner: Owner }>(
    `select o.owner
     from unnest($5::uuid[]) with ordinality as o (owner, number)
     where ($4 or exists (
         select from ops.positions
         where brand_id = $1 and connection_id = $2 and stream = $3 and state in ('never', 'failing')))
       and (exists (
           select from ops.marks where brand_id = $1 and (retailer_id = o.owner or retailer_id is null and o.owner is null))
         or exists (
           select from ops.jobs where key = 'rollup:' || $1 || ':' || coalesce(o.owner::text, 'brand') and state = 'waiting'))
       and not exists (
         select from app.connections c
         join ops.positions p on p.brand_id = $1 and p.connection_id = c.id and p.state = 'never'
         where c.brand_id = $1 and c.held_at is null and (c.id, p.stream) <> ($2, $3)
           and ${IS_LOADING} and case c.level when 'brand' then o.owner is null else c.retailer_id = o.owner end)
     order by o.number`,
    [brandId, connectionId, stream, isFirstLoad, owners],
  );
  return rows.map(({ owner }) => owner);
}
