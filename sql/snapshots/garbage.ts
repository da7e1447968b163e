/**
 * Files of a store that no snapshot needs. They are marked first, and removed once they were marked for a while: longer than
 * any snapshot takes, so one that was begun when a file was still needed has ended. Names here are without the brand.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';

/** The file of a part ends with the snapshot that wrote it, whose data key opens it. */
export function partFile({ name, keyId }: { name: string; keyId: string }): string {
  return `parts/${name}.${keyId}`;
}

/**
 * A part is needed by each snapshot that has it, one that was broken off included; a key by the snapshot whose manifest it
 * signs, and by each part that it opens.
 */
const NEEDED = `(
  exists (select from ops.snapshot_parts p
          where p.brand_id = $1 and p.name = substr(f.file, 7, 64) and f.file = 'parts/' || p.name || '.' || p.key_id)
  or f.file like 'keys/%' and (
    exists (select from ops.snapshots s where s.brand_id = $1 and 'keys/' || s.id || '.json' = f.file)
    or f.file in (select 'keys/' || p.key_id || '.json' from ops.snapshot_parts p where p.brand_id = $1)))`;

/** Of these files. Gives how many are marked by this. */
export async function markUnneeded(tx: Tx, brandId: string, files: readonly string[]): Promise<number> {
  const { rowCount } = await tx.query(
    `insert into ops.snapshot_garbage (brand_id, file)
     select $1, f.file from unnest($2::text[]) f (file) where not ${NEEDED} on conflict do nothing`,
    [brandId, files],
  );
  return rowCount ?? 0;
}

/** What is needed after all, such as parts of a manifest that was found in the store. */
export async function unmarkNeeded(tx: Tx, brandId: string): Promise<void> {
  await tx.query(`delete from ops.snapshot_garbage f where brand_id = $1 and ${NEEDED}`, [brandId]);
}

/** Manifests at once, without which there is no snapshot; other files once they were marked for so long. */
export async function dueFiles(
  db: Reader,
  brandId: string,
  { kind, graceSeconds, max }: { kind: 'manifests' | 'others'; graceSeconds: number; max: number },
): Promise<string[]> {
  const { rows } = await db.query<{ file: string }>(
    `select file from ops.snapshot_garbage f
     where brand_id = $1 and (file like 'manifests/%') = ($2 = 'manifests')
       and ($2 = 'manifests' or marked_at <= now() - make_interval(secs => $3)) and not ${NEEDED}
     order by marked_at, file limit $4`,
    [brandId, kind, graceSeconds, max],
  );
  return rows.map(({ file }) => file);
}

export async function forgetFiles(tx: Tx, brandId: string, files: readonly string[]): Promise<void> {
  await tx.query('delete from ops.snapshot_garbage where brand_id = $1 and file = any ($2)', [
    brandId,
    files,
  ]);
}

/** What was broken off has no use any more once a later one is complete: its files were taken over. One begun since goes on. */
export async function forgetBrokenOff(
  tx: Tx,
  { brandId, id }: { brandId: string; id: string },
): Promise<void> {
  await tx.query(
    `delete from ops.snapshots o using ops.snapshots s
     where s.brand_id = $1 and s.id = $2 and o.brand_id = $1 and o.state = 'creating' and o.created_at < s.created_at`,
    [brandId, id],
  );
}

/** Those that were broken off so long ago are gone on with by nobody: for one who knows that no other is under way. */
export async function forgetLongBrokenOff(tx: Tx, brandId: string, seconds: number): Promise<void> {
  await tx.query(
    `delete from ops.snapshots
     where brand_id = $1 and state = 'creating' and created_at < now() - make_interval(secs => $2)`,
    [brandId, seconds],
  );
}

/**
 * Of these brands those that were removed here so long ago. One that this database never knew is not among them, nor one of
 * which a snapshot is pinned.
 */
export async function removedBrands(
  db: Reader,
  brandIds: readonly string[],
  days: number,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select distinct a.brand_id as id from ops.audit_log a
     where a.action = 'brands.remove' and a.brand_id = any ($1) and a.at < now() - make_interval(days => $2)
       and not exists (select from app.brands b where b.id = a.brand_id)
       and not exists (select from ops.snapshots s where s.brand_id = a.brand_id and s.pinned_at is not null)
     order by 1`,
    [brandIds, days],
  );
  return rows.map(({ id }) => id);
}

/** What the catalogue still has of a brand that is gone, and was taken in from its store. */
export async function forgetBrand(tx: Tx, brandId: string): Promise<void> {
  await tx.query('delete from ops.snapshots where brand_id = $1', [brandId]);
  await tx.query('delete from ops.snapshot_garbage where brand_id = $1', [brandId]);
}
