/**
 * What waits for first loads. A stream that somebody wants to be read has a row from then on, in state `never`
 * until a run of it has ended: while a retailer or the brand itself has such streams, its figures would only be
 * computed twice, and from tables that PostgreSQL knows nothing of yet.
 */
import type { Tx } from '../db/pool.ts';
import type { Owner } from '../dirty/marks.ts';
import { OWNERS, ownersOf } from './load_lock.ts';

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
 * Whose rollups need not wait any longer, because a run ends a load that has left marks: it was the first load
 * itself, or the stream has not been whole until now. Other streams of the same owner that have yet to be read
 * for the first time see to it themselves, the last of them.
 */
export async function endedFirstLoads(tx: Tx, which: StreamOf, isFirstLoad: boolean): Promise<Owner[]> {
  const { brandId, connectionId, stream } = which;
  const owners = await ownersOf(tx, brandId, connectionId);
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
       and exists (
         select from ops.marks where brand_id = $1 and (retailer_id = o.owner or retailer_id is null and o.owner is null))
       and not exists (
         select from app.connections c
         join ops.positions p on p.brand_id = $1 and p.connection_id = c.id and p.state = 'never'
         where c.brand_id = $1 and c.held_at is null and (c.id, p.stream) <> ($2, $3)
           and array_position(${OWNERS}, o.owner) is not null)
     order by o.number`,
    [brandId, connectionId, stream, isFirstLoad, owners],
  );
  return rows.map(({ owner }) => owner);
}
