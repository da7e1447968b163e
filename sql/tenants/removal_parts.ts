/** The parts of a brand or a retailer, and the removals that have begun and not ended. */

import type { Reader } from '../db/reader.ts';
import type { Kind } from './names.ts';
import type { Owner } from './removal_tables.ts';

/** `removing`: its removal has begun. */
export type Part = Owner & { name: string; removing: boolean };

const PARTS = `
  select 'retailer' as kind, r.brand_id as "brandId", r.id, r.slug as name, r.removing_at is not null as removing
  from app.retailers r where $1 = 'brand' and r.brand_id = $2
  union all
  select 'connection', c.brand_id, c.id, c.name, c.removing_at is not null
  from app.connections c
  where c.brand_id = $2 and ($1 = 'brand' or $1 = 'retailer' and $3 in (c.retailer_id, c.removed_from))
  order by kind desc, name`;

/** Retailers, then connections, by name; a connection has no parts. */
export async function partsOf(db: Reader, { kind, brandId, id }: Owner): Promise<Part[]> {
  const { rows } = await db.query<Part>(PARTS, [kind, brandId, id]);
  return rows;
}

/** Removals that an operator has to continue, without those that are part of another one. */
export type Begun = { kind: Kind; name: string; brand: string };

const BEGUN = `
  select 'brand' as kind, b.slug as name, b.slug as brand from app.brands b where b.removing_at is not null
  union all
  select 'retailer', r.slug, b.slug
  from app.retailers r join app.brands b on b.id = r.brand_id and b.removing_at is null
  where r.removing_at is not null
  union all
  select 'connection', c.name, b.slug
  from app.connections c join app.brands b on b.id = c.brand_id and b.removing_at is null
  left join app.retailers r on r.brand_id = c.brand_id and r.id = c.removed_from
  where c.removing_at is not null and r.removing_at is null
  order by brand, kind, name`;

export async function begunRemovals(db: Reader): Promise<Begun[]> {
  const { rows } = await db.query<Begun>(BEGUN);
  return rows;
}
