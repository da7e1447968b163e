/** The alert of letters of which nobody can say whether they were sent: one for each connection that has some. */
import type { Tx } from '../db/pool.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

/** Gives the number of the alert; undefined if it is raised already. Keeps others from resolving it meanwhile. */
export async function raiseUncertain(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  cause: string,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number; fresh: boolean }>(
    `insert into ops.alerts as a (brand_id, connection_id, kind, promise, cause, hint, raised_at)
     select c.brand_id, c.id, 'mail', format('it is known of each letter of connection %s whether it was sent', c.name), $3,
            format('npx nightshift mail list --brand %s --connection %s --state uncertain; '
              'then mail retry ID or mail discard ID', b.slug, c.name), clock_timestamp()
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2
     on conflict (brand_id, promise) where resolved_at is null do update set cause = a.cause
     returning a.id, a.xmax = 0 as fresh`,
    [brandId, connectionId, cause],
  );
  return rows[0]?.fresh ? rows[0].id : undefined;
}

/** The same once the last of them is settled; undefined as long as there are others. */
export async function resolveUncertain(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
): Promise<number | undefined> {
  const key = [brandId, connectionId];
  const { rows: open } = await tx.query<{ id: number }>(
    `select id from ops.alerts
     where brand_id = $1 and connection_id = $2 and kind = 'mail' and resolved_at is null for update`,
    key,
  );
  if (open.length === 0) return undefined;
  // By a statement of its own: it sees what those had settled that held the lock before.
  const { rows } = await tx.query<{ id: number }>(
    `update ops.alerts a set resolved_at = clock_timestamp()
     where a.brand_id = $1 and a.connection_id = $2 and a.id = any ($3::bigint[])
       and not exists (
         select from ops.mail m where m.brand_id = $1 and m.connection_id = $2 and m.state = 'uncertain')
     returning a.id`,
    [...key, open.map(({ id }) => id)],
  );
  return rows[0]?.id;
}
