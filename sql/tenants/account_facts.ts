/** Facts about the account of a connection: its limits, the owner of its key and the permissions of the key. */
import type { Tx } from '../db/pool.ts';
import { ConnectionGone } from '../load/load_lock.ts';
import { type ActionName, recordAction } from './audit.ts';
import { assertTimeZone } from './brands.ts';
import type { OpenConnection, Which } from './connections.ts';

/** Running jobs keep to it from their next request on; null is the usual limit of the provider. */
export async function limitRequests(tx: Tx, which: Which, requestsPerSecond: number | null): Promise<void> {
  const fact = {
    column: 'requests_per_second',
    field: 'requestsPerSecond',
    action: 'connections.limits',
  } as const;
  await setFact(tx, which, fact, requestsPerSecond);
}

/** Figures that are read from then on are days of this zone; null is that of the brand. */
export async function setAccountZone(tx: Tx, which: Which, accountZone: string | null): Promise<void> {
  if (accountZone !== null) await assertTimeZone(tx, accountZone);
  const fact = { column: 'account_zone', field: 'accountZone', action: 'connections.zone' } as const;
  await setFact(tx, which, fact, accountZone);
}

/** Whether the connection asks for e-mail addresses, which providers protect, and stores their digests. */
export async function setReadsPersons(tx: Tx, which: Which, readsPersons: boolean): Promise<void> {
  const fact = { column: 'reads_persons', field: 'readsPersons', action: 'connections.persons' } as const;
  await setFact(tx, which, fact, readsPersons);
}

/** A column of a connection that an operator sets, by its name in the audit log. */
type Fact = {
  column: 'requests_per_second' | 'account_zone' | 'reads_persons';
  field: string;
  action: ActionName;
};

async function setFact(
  tx: Tx,
  { brandId, connectionId, actor }: Which,
  { column, field, action }: Fact,
  value: string | number | boolean | null,
): Promise<void> {
  const { rows } = await tx.query<{ name: string; before: unknown }>(
    `update app.connections c set ${column} = $3
     from (
       select brand_id, id, ${column} as fact from app.connections
       where brand_id = $1 and id = $2 for no key update
     ) was
     where c.brand_id = was.brand_id and c.id = was.id
     returning c.name, was.fact as before`,
    [brandId, connectionId, value],
  );
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(brandId, connectionId);
  const change = { before: { [field]: row.before }, after: { [field]: value } };
  await recordAction(tx, { action, brandId, target: row.name, actor, ...change });
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
