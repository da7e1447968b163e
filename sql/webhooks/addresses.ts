/** Where subscriptions that Nightshift added deliver, and the alert of those that cannot be repaired. */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

export async function rememberAddress(tx: Tx, key: ConnectionKey, baseUrl: string): Promise<void> {
  await keepConnection(tx, key);
  await tx.query(
    `insert into ops.webhook_addresses (brand_id, connection_id, base_url) values ($1, $2, $3)
     on conflict (brand_id, connection_id) do update set base_url = excluded.base_url`,
    [key.brandId, key.connectionId, baseUrl],
  );
}

/** Undefined where Nightshift added none, or has removed them. */
export async function addressOf(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
): Promise<string | undefined> {
  const { rows } = await db.query<{ url: string }>(
    'select base_url as url from ops.webhook_addresses where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
  return rows[0]?.url;
}

/** Nothing there is repaired any more. Gives the number of the alert that is over. */
export async function forgetAddress(tx: Tx, key: ConnectionKey): Promise<number | undefined> {
  const { rows } = await tx.query<{ alert: number | null }>(
    'delete from ops.webhook_addresses where brand_id = $1 and connection_id = $2 returning alert_id as alert',
    [key.brandId, key.connectionId],
  );
  return resolve(tx, key, rows[0]?.alert);
}

/** Gives the number of the alert; undefined if somebody was told, or an operator has removed the subscriptions. */
export async function raiseUnrepaired(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  cause: string,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    `with untold as (
       select c.name, b.slug from ops.webhook_addresses a
       join app.connections c on (c.brand_id, c.id) = (a.brand_id, a.connection_id)
       join app.brands b on b.id = a.brand_id
       where a.brand_id = $1 and a.connection_id = $2 and a.alert_id is null
       for update of a
     ), raised as (
       insert into ops.alerts (brand_id, connection_id, kind, promise, cause, hint, raised_at)
       select $1, $2, 'webhooks', left(format('the provider of connection %s delivers what it should', name), 200), $3,
              format('npx nightshift connections webhooks check %s --brand %s', name, slug), now()
       from untold on conflict do nothing returning id)
     update ops.webhook_addresses set alert_id = raised.id from raised
     where brand_id = $1 and connection_id = $2 returning raised.id`,
    [brandId, connectionId, scrub(cause)],
  );
  return rows[0]?.id;
}

/** The same once all is as it should be. */
export async function resolveUnrepaired(tx: Tx, key: ConnectionKey): Promise<number | undefined> {
  const { rows } = await tx.query<{ alert: number }>(
    `with told as (
       select alert_id from ops.webhook_addresses
       where brand_id = $1 and connection_id = $2 and alert_id is not null for update
     )
     update ops.webhook_addresses a set alert_id = null from told
     where a.brand_id = $1 and a.connection_id = $2 returning told.alert_id as alert`,
    [key.brandId, key.connectionId],
  );
  return resolve(tx, key, rows[0]?.alert);
}

async function resolve(
  tx: Tx,
  { brandId }: ConnectionKey,
  alert: number | null | undefined,
): Promise<number | undefined> {
  if (alert === null || alert === undefined) return undefined;
  await tx.query('update ops.alerts set resolved_at = now() where brand_id = $1 and id = $2', [
    brandId,
    alert,
  ]);
  return alert;
}
