/** Accounts of which persons are erased: they stay so, though the connection is removed and added again. */
import type { Tx } from '../db/pool.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

/** Of a connection that goes. */
export async function rememberAccount(tx: Tx, { brandId, connectionId }: ConnectionKey): Promise<void> {
  await tx.query(
    `insert into ops.erased_accounts as a (brand_id, provider, account, former_id)
     select c.brand_id, c.provider, c.account, c.id from app.connections c
     where c.brand_id = $1 and c.id = $2
       and exists (select from ops.erased_identifiers e where e.brand_id = $1 and e.known_to = $2)
     on conflict (brand_id, provider, account) do update set former_id = excluded.former_id`,
    [brandId, connectionId],
  );
}

/** The id by which persons of the account are known already, if its connection was removed. */
export async function formerIdOf(
  tx: Tx,
  { brandId, provider, account }: { brandId: string; provider: string; account: string },
): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>(
    `select a.former_id as id from ops.erased_accounts a
     where a.brand_id = $1 and a.provider = $2 and a.account = $3
       and not exists (select from app.connections c where c.brand_id = $1 and c.id = a.former_id)`,
    [brandId, provider, account],
  );
  return rows[0]?.id;
}
