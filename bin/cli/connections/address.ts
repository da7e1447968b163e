/** Stores the address of a connection. The caller has checked that its key may be sent there. */

import type { Tx } from '#sql/db/pool.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import type { Connection } from '#sql/tenants/connections.ts';

export async function storeAddress(tx: Tx, connection: Connection, baseUrl: string): Promise<void> {
  const { brandId, id, name } = connection;
  await tx.query(
    'update app.connections set base_url = $3, account_asked_at = null where brand_id = $1 and id = $2',
    [brandId, id, baseUrl],
  );
  const before = { baseUrl: connection.baseUrl };
  await recordAction(tx, {
    action: 'connections.set_url',
    brandId,
    target: name,
    before,
    after: { baseUrl },
  });
}
