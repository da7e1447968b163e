/** Ids of a provider as they are stored: an erased customer is stored under a pseudonym, which the provider never lists. */
import { pseudonymsOf } from '#sql/load/redact/erased.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { ConnectorDb, Target } from '../stream.ts';

export type SealedOwner = {
  connection: { brandId: string; id: string };
  db: Pick<ConnectorDb, 'query'>;
  sealer: Sealer;
};

export async function asStored(
  { connection, db, sealer }: SealedOwner,
  { tables: [root] }: Target,
  listed: ReadonlySet<string>,
): Promise<string[]> {
  const { brandId, id: connectionId } = connection;
  const ids = [...listed];
  if (!root?.personal?.of?.some(({ column }) => column === 'id')) return ids;
  const { rows } = await db.query<{ erased: boolean }>(
    'select has_erased as erased from app.brands where id = $1',
    [brandId],
  );
  if (!rows[0]?.erased) return ids;
  const key = await personKeyOf(db, sealer, brandId);
  const asked = ids.map((id) => [id, { kind: 'customer', connectionId, id }] as const);
  const renamed = await pseudonymsOf(db, { brandId, key }, asked);
  return ids.map((id) => renamed.get(id) ?? id);
}
