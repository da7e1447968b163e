/** Where an erased person still is: in snapshots from before the erasure, and in schemas that were restored of one. */
import type { Reader } from '../db/reader.ts';
import type { Scratch } from './scratch.ts';

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

export type RestoredSchema = {
  schema: string;
  brandId: string | null;
  brand: string | null;
  restoredAt: Date | null;
};

/** What its comment says of a schema that a snapshot was restored into. */
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

/** Those of the brand, and those that do not say whose they are; of all brands without one. */
export async function restoredSchemas(db: Reader, brandId?: string): Promise<RestoredSchema[]> {
  const { rows } = await db.query<RestoredSchema>(
    `select n.nspname as schema, c.said[1]::uuid as "brandId", b.slug as brand, c.said[2]::timestamptz as "restoredAt"
     from pg_namespace n
     cross join lateral (
       select regexp_match(obj_description(n.oid, 'pg_namespace'),
         '^snapshot [0-9a-f-]{36} of brand ([0-9a-f-]{36}), restored ([0-9TZ:.-]+)$') as said) c
     left join app.brands b on b.id = c.said[1]::uuid
     where n.nspname ~ '^restored_[0-9a-f]{8}$' and ($1::uuid is null or coalesce(c.said[1]::uuid, $1) = $1)
     order by 1`,
    [brandId ?? null],
  );
  return rows;
}

export function dropStatement({ schema }: Pick<Scratch, 'schema'>): string {
  return `drop schema ${schema} cascade`;
}
