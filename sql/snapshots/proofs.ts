/** What verifications found of snapshots and of their files, and which files are to be read next. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { StoredPart, Which } from './catalogue.ts';

type Verified = {
  level: number;
  damage?: string | undefined;
  damagedParts: readonly StoredPart[];
  /** Snapshots whose data key is damaged, and with it all that it opens. */
  damagedKeys: readonly string[];
};

/** From here on all files are read and opened, and so are their keys. */
export const LEVEL_OF_ROWS = 2;

/** `damage` undefined: all was found as it should be, at this level. A lower one later takes no proof away. */
export async function recordVerified(
  tx: Tx,
  { brandId, id }: Which,
  { level, damage, damagedParts, damagedKeys }: Verified,
): Promise<void> {
  await tx.query(
    `update ops.snapshots
     set state = case when $4::text is null then 'complete' else 'damaged' end, damage = $4,
         verified_level = case when $4::text is null then greatest(verified_level, $3::smallint) end,
         verified_at = case when $4::text is not null then null when $3 >= coalesce(verified_level, 0) then now() else verified_at end
     where brand_id = $1 and id = $2`,
    [brandId, id, level, damage ?? null],
  );
  // Of each snapshot that has the file.
  if (damagedParts.length > 0)
    await tx.query(
      `update ops.snapshot_parts p set damaged_at = now()
       from jsonb_to_recordset($2::jsonb) as d (name text, "keyId" uuid)
       where p.brand_id = $1 and p.name = d.name and p.key_id = d."keyId" and p.damaged_at is null`,
      [brandId, JSON.stringify(damagedParts)],
    );
  if (damagedKeys.length > 0)
    await tx.query(
      `update ops.snapshot_parts set damaged_at = now()
       where brand_id = $1 and key_id = any ($2) and damaged_at is null`,
      [brandId, damagedKeys],
    );
  if (damage !== undefined || level < LEVEL_OF_ROWS) return;
  await tx.query('update ops.snapshot_parts set proved_at = now() where brand_id = $1 and snapshot_id = $2', [
    brandId,
    id,
  ]);
  await tx.query(
    `update ops.snapshot_parts p set damaged_at = null
     from ops.snapshot_parts w
     where w.brand_id = $1 and w.snapshot_id = $2 and w.damaged_at is not null
       and p.brand_id = $1 and p.name = w.name and p.key_id = w.key_id`,
    [brandId, id],
  );
}

/** A file, by which it is told from others of a brand. */
export type ProvedFile = Pick<StoredPart, 'name' | 'keyId'>;

/** Of each snapshot that has them: the one as a part of which it was read may expire before the next turn of the file. */
export async function recordProved(tx: Tx, brandId: string, files: readonly ProvedFile[]): Promise<void> {
  await tx.query(
    `update ops.snapshot_parts p set proved_at = now()
     from jsonb_to_recordset($2::jsonb) as d (name text, "keyId" uuid)
     where p.brand_id = $1 and p.name = d.name and p.key_id = d."keyId"`,
    [brandId, JSON.stringify(files)],
  );
}

/** Days in which each file is read once. */
export const QUARTER = 91;
/** At most one of so many files is read at once, however long none was. */
const SHARE_LEAST = 13;

/**
 * The files to read now, of those that whole snapshots of a store have and `newest` has not: those first that were not proved for longest, a
 * file that never was since its oldest snapshot. So none that comes later is read before them, however many come. So many that the one with
 * the least time for those before it is read in time, if it goes on like this each day. `snapshot`: the latest that has the file.
 */
export async function filesToProve(
  db: Reader,
  { brandId, newest, store }: { brandId: string; newest: string; store: string },
): Promise<(ProvedFile & { snapshot: string })[]> {
  const { rows } = await db.query<ProvedFile & { snapshot: string }>(
    `with files as (
       select p.name, p.key_id, coalesce(max(p.proved_at), min(s.created_at)) as since,
              (array_agg(s.id order by s.created_at desc, s.id))[1] as snapshot
       from ops.snapshot_parts p
       join ops.snapshots s on s.brand_id = $1 and s.id = p.snapshot_id and s.state = 'complete' and s.store = $3
       where p.brand_id = $1 and p.damaged_at is null and not exists (
         select from ops.snapshot_parts n
         where n.brand_id = $1 and n.snapshot_id = $2 and n.name = p.name and n.key_id = p.key_id)
       group by p.name, p.key_id
     ), ordered as (
       select name, key_id, snapshot, row_number() over (order by since, name, key_id) as place, count(*) over () as n,
              greatest(1, ${QUARTER} - extract(day from now() - since)) as days_left
       from files
     ), paced as (
       select *, least(max(ceil(place / days_left)) over (), ceil(n / ${SHARE_LEAST}.0)) as pace from ordered
     )
     select name, key_id as "keyId", snapshot from paced where place <= pace order by place`,
    [brandId, newest, store],
  );
  return rows;
}
