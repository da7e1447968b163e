/** Facts about the account of a connection: its limits, the owner of its key and the permissions of the key. */
import type { Tx } from '../db/pool.ts';
import { ConnectionGone } from '../load/load_lock.ts';
import { recordAction } from './audit.ts';
import { assertTimeZone } from './brands.ts';
import type { OpenConnection, Which } from './connections.ts';

/** Running jobs keep to it from their next request on; null is the usual limit of the provider. */
export async function limitRequests(tx: Tx, which: Which, requestsPerSecond: number | null): Promise<void> {
  const { brandId, connectionId, actor } = which;
  const { rows } = await tx.query<{ name: string; before: number | null }>(
    `update app.connections c set requests_per_second = $3
     from (
       select brand_id, id, requests_per_second from app.connections
       where brand_id = $1 and id = $2 for no key update
     ) was
     where c.brand_id = was.brand_id and c.id = was.id
     returning c.name, was.requests_per_second as before`,
    [brandId, connectionId, requestsPerSecond],
  );
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(brandId, connectionId);
  await recordAction(tx, {
    ...{ action: 'connections.limits', brandId, target: row.name, actor },
    ...{ before: { requestsPerSecond: row.before }, after: { requestsPerSecond } },
  });
}

/** Figures that are read from then on are days of this zone; null is that of the brand. */
export async function setAccountZone(tx: Tx, which: Which, accountZone: string | null): Promise<void> {
  const { brandId, connectionId, actor } = which;
  if (accountZone !== null) await assertTimeZone(tx, accountZone);
  const { rows } = await tx.query<{ name: string; before: string | null }>(
    `update app.connections c set account_zone = $3
     from (
       select brand_id, id, account_zone from app.connections
       where brand_id = $1 and id = $2 for no key update
     ) was
     where c.brand_id = was.brand_id and c.id = was.id
     returning c.name, was.account_zone as before`,
    [brandId, connectionId, accountZone],
  );
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(brandId, connectionId);
  await recordAction(tx, {
    ...{ action: 'connections.zone', brandId, target: row.name, actor },
    ...{ before: { accountZone: row.before }, after: { accountZone } },
  });
}

/** Whether the connection asks for e-mail addresses, which providers protect, and stores their digests. */
export async function setReadsPersons(tx: Tx, which: Which, readsPersons: boolean): Promise<void> {
  const { brandId, connectionId, actor } = which;
  const { rows } = await tx.query<{ name: string; before: boolean }>(
    `update app.connections c set reads_persons = $3
     from (
       select brand_id, id, reads_persons from app.connections
       where brand_id = $1 and id = $2 for no key update
     ) was
     where c.brand_id = was.brand_id and c.id = was.id
     returning c.name, was.reads_persons as before`,
    [brandId, connectionId, readsPersons],
  );
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(brandId, connectionId);
  await recordAction(tx, {
    ...{ action: 'connections.persons', brandId, target: row.name, actor },
    ...{ before: { readsPersons: row.before }, after: { readsPersons } },
  });
}

/**
 * Notes that the key belongs to the account, or that the provider does not say. A key or address that was stored
 * after the connection was opened has not been checked.
 */
export async function noteAccountAsked(tx: Tx, connection: OpenConnection, now: Date): Promise<void> {
  const { brandId, id, baseUrl, secretChangedAt } = connection;
  await tx.query(
    `update app.connections set account_asked_at = $3
     where brand_id = $1 and id = $2 and base_url = $4 and secret_changed_at::text is not distinct from $5`,
    [brandId, id, now, baseUrl, secretChangedAt],
  );
}

/** Stores the permissions of the key, as the provider reports them. */
export async function saveScopes(
  tx: Tx,
  { brandId, connectionId }: Which,
  scopes: readonly string[],
  now: Date,
): Promise<void> {
  await tx.query(
    'update app.connections set granted_scopes = $3, checked_at = $4 where brand_id = $1 and id = $2',
    [brandId, connectionId, scopes, now],
  );
}
