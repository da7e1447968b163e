/** Where an erased person still is: in snapshots from before the erasure, and in schemas and databases that were restored of one. */
import type { Reader } from '../db/reader.ts';

export type Holding = {
  snapshots: number;
  /** When the last of them expires, as things are now: other things may only bring it forward. */
  until: Date | null;
};

/** Snapshots of the brand that are no younger than the erasure. */
export async function holdingSince(
  db: Reader,
  { brandId, erasedAt }: { brandId: string; erasedAt: Date },
): Promise<Holding> {
  const { rows } = await db.query<Holding>(
    `select count(distinct s.id)::int as snapshots, nullif(max(coalesce(k.until, s.created_at)), 'infinity') as until
     from ops.snapshots s
     left join ops.snapshot_keeps k on k.brand_id = s.brand_id and k.snapshot_id = s.id
     where s.brand_id = $1 and s.created_at <= $2 and s.state <> 'creating'`,
    [brandId, erasedAt],
  );
  return rows[0] ?? { snapshots: 0, until: null };
}

/** What a snapshot was restored into. No erasure reaches it. */
export type Copy = {
  kind: 'schema' | 'database';
  name: string;
  brandId: string | null;
  brand: string | null;
  restoredAt: Date | null;
  /** When the brand last erased a person or an account; null if never. */
  erasedAt: Date | null;
};

/** What the comment of a copy says. */
export function restoredComment({
  snapshot,
  brandId,
  at,
}: {
  snapshot: string;
  brandId: string;
  at: Date;
}): string {
  return `snapshot ${snapshot} of brand ${brandId}, restored ${at.toISOString()}`;
}

/**
 * Those of the brand, and schemas that do not say whose they are; of all brands without one. A database is known by its comment
 * alone: other live databases of the server have copies too, of brands that are not here.
 */
export async function restoredCopies(db: Reader, brandId?: string): Promise<Copy[]> {
  const { rows } = await db.query<Copy>(
    `select c.kind, c.name, s.said[1]::uuid as "brandId", b.slug as brand, s.said[2]::timestamptz as "restoredAt",
            greatest(
              (select max(e.erased_at) from ops.erased_identifiers e where e.brand_id = b.id),
              (select max(p.done_at) from ops.privacy_requests p
               where p.brand_id = b.id and p.kind in ('erase_person', 'erase_account'))) as "erasedAt"
     from (
       select 'schema' as kind, nspname as name, obj_description(oid, 'pg_namespace') as about
       from pg_namespace where nspname ~ '^restored_[0-9a-f]{8}$'
       union all
       select 'database', datname, shobj_description(oid, 'pg_database')
       from pg_database where datname <> current_database()
     ) c
     cross join lateral (
       select regexp_match(c.about, '^snapshot [0-9a-f-]{36} of brand ([0-9a-f-]{36}), restored ([0-9TZ:.-]+)$') as said) s
     left join app.brands b on b.id = s.said[1]::uuid
     where (c.kind = 'schema' or b.id is not null) and ($1::uuid is null or coalesce(s.said[1]::uuid, $1) = $1)
     order by c.kind desc, c.name`,
    [brandId ?? null],
  );
  return rows;
}

export function dropStatement({ kind, name }: Pick<Copy, 'kind' | 'name'>): string {
  return kind === 'schema' ? `drop schema ${name} cascade` : `drop database ${name}`;
}
