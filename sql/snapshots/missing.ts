/** Parts that the catalogue has and their store has not, as after an older copy of the database was brought back. */
import type { Tx } from '../db/pool.ts';

type Missing = { brandId: string; store: string; files: ReadonlyMap<string, number> };

/**
 * From here on no snapshot takes them for stored, also one that cannot look. `files`: all parts of the brand in that store, with
 * their bytes. Gives the snapshots that lack some, noted before or not.
 */
export async function noteMissingParts(tx: Tx, { brandId, store, files }: Missing): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `with missing as (
       update ops.snapshot_parts p set damaged_at = coalesce(p.damaged_at, now())
       from ops.snapshots s
       where s.brand_id = $1 and s.store = $2 and p.brand_id = $1 and p.snapshot_id = s.id
         and not exists (select from unnest($3::text[], $4::bigint[]) as f (file, bytes)
                         where f.file = 'parts/' || p.name || '.' || p.key_id and f.bytes = p.stored_bytes)
       returning p.snapshot_id
     )
     select distinct snapshot_id as id from missing order by 1`,
    [brandId, store, [...files.keys()], [...files.values()]],
  );
  return rows.map(({ id }) => id);
}
