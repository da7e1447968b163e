/** Renames a brand, a retailer or a connection. Everything refers to it by id, so nothing else changes. */

import type { Tx } from '../db/pool.ts';
import { recordAction } from './audit.ts';
import { NameNotFound, taking } from './names.ts';
import type { Owner } from './removal_tables.ts';

const UPDATES: Readonly<Record<Owner['kind'], string>> = {
  connection: 'update app.connections set name = $3 where brand_id = $1 and id = $2',
  retailer: `update app.retailers set slug = $3, name = case when name = slug then $3 else name end
             where brand_id = $1 and id = $2`,
  brand: `update app.brands set slug = $3, name = case when name = slug then $3 else name end
          where id = $1 and id = $2`,
};

export type Renaming = { from: string; to: string; actor?: string };

/** The display name of a brand or retailer follows the slug if it was never set. */
export async function rename(
  tx: Tx,
  { kind, brandId, id }: Owner,
  { from, to, actor }: Renaming,
): Promise<void> {
  const { rowCount } = await taking(kind, to, () => tx.query(UPDATES[kind], [brandId, id, to]));
  if (rowCount !== 1) throw new NameNotFound(kind, from, []);
  const [before, after] = [{ name: from }, { name: to }];
  await recordAction(tx, { action: `${kind}s.rename`, brandId, target: from, before, after, actor });
}
