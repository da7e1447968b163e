/**
 * What waits for first loads. A stream that somebody wants to be read has a row from then on, in state `never`
 * until a run of it has ended: while a retailer has such streams, figures would only be computed twice, and by
 * tables that PostgreSQL knows nothing of yet.
 */
import type { Tx } from '../db/pool.ts';

export type StreamOf = { brandId: string; connectionId: string; stream: string };

/** In the transaction that queues the run. */
export async function noteWanted(tx: Tx, { brandId, connectionId, stream }: StreamOf): Promise<void> {
  await tx.query(
    `insert into ops.positions (brand_id, connection_id, stream, position, updated_at)
     values ($1, $2, $3, 'null', now()) on conflict do nothing`,
    [brandId, connectionId, stream],
  );
}

/**
 * Whether a run ends a load that has left marks, so that their rollup need not wait any longer: it was the first
 * load itself, or the stream has not been whole until now. Other streams of the retailer that have yet to be read
 * for the first time see to it themselves, the last of them.
 */
export async function endsFirstLoad(tx: Tx, which: StreamOf, isFirstLoad: boolean): Promise<boolean> {
  const { brandId, connectionId, stream } = which;
  // Of two loads that end at the same moment the second one sees that the first has ended.
  await tx.query(
    `select pg_advisory_xact_lock(hashtextextended('end of load ' || retailer_id, 0))
     from app.connections where brand_id = $1 and id = $2`,
    [brandId, connectionId],
  );
  const { rowCount } = await tx.query(
    `select from app.connections c
     where c.brand_id = $1 and c.id = $2
       and ($4 or exists (
         select from ops.positions
         where brand_id = $1 and connection_id = $2 and stream = $3 and state in ('never', 'failing')))
       and exists (select from ops.marks where brand_id = $1 and retailer_id = c.retailer_id)
       and not exists (
         select from app.connections o
         join ops.positions p on p.brand_id = $1 and p.connection_id = o.id and p.state = 'never'
         where o.brand_id = $1 and o.retailer_id = c.retailer_id and o.held_at is null
           and (o.id, p.stream) <> ($2, $3))`,
    [brandId, connectionId, stream, isFirstLoad],
  );
  return rowCount === 1;
}
