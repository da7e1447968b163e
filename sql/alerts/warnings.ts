/** The alert of a connection whose syncs warn of something: one, whatever they warn of. */
import type { Tx } from '../db/pool.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import { readWarnings, warningsSaid } from '../load/warnings.ts';

/** Gives the number of the alert; undefined if nothing is warned of, or it is raised already: it says the latest then. */
export async function raiseWarnings(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  now: Date,
): Promise<number | undefined> {
  const warnings = new Set([...(await readWarnings(tx, { brandId, connectionId })).values()].flat());
  if (warnings.size === 0) return undefined;
  // Found by its connection, because that may have another name since.
  const { rows } = await tx.query<{ id: number }>(
    `with known as (
       update ops.alerts set cause = $3
       where brand_id = $1 and connection_id = $2 and kind = 'warnings' and resolved_at is null returning id)
     insert into ops.alerts (brand_id, connection_id, kind, promise, cause, hint, raised_at)
     select c.brand_id, c.id, 'warnings', format('syncs of connection %s have nothing to warn of', c.name), $3,
            format('npx nightshift connections check %s --brand %s', c.name, b.slug), $4
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2 and not exists (select from known)
     on conflict do nothing returning id`,
    [brandId, connectionId, warningsSaid([...warnings].sort()), now],
  );
  return rows[0]?.id;
}

/** The same once nothing is warned of. */
export async function resolveWarnings(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  now: Date,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    `update ops.alerts set resolved_at = $3
     where brand_id = $1 and connection_id = $2 and kind = 'warnings' and resolved_at is null and not exists (
       select from ops.stream_warnings where brand_id = $1 and connection_id = $2)
     returning id`,
    [brandId, connectionId, now],
  );
  return rows[0]?.id;
}
