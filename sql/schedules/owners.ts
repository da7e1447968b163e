/** Who should have a schedule of some name and has none. */
import type { Db } from '../db/pool.ts';
import type { Owner } from './schedules.ts';

const OWNERS_MAX = 1_000;

const lacking = {
  platform: `
    select null::uuid as "brandId", null::uuid as "connectionId"
    where not exists (
      select from ops.schedules s where s.brand_id is null and s.connection_id is null and s.name = $1)`,
  brand: `
    select b.id as "brandId", null::uuid as "connectionId" from app.brands b
    where b.removing_at is null and not exists (
      select from ops.schedules s where s.brand_id = b.id and s.connection_id is null and s.name = $1)`,
  connection: `
    select c.brand_id as "brandId", c.id as "connectionId" from app.connections c
    join app.brands b on b.id = c.brand_id and b.removing_at is null
    where c.removing_at is null and not exists (
      select from ops.schedules s where s.brand_id = c.brand_id and s.connection_id = c.id and s.name = $1)`,
};

/** A few per call; the next call returns the others. */
export async function ownersWithout(db: Db, kind: keyof typeof lacking, name: string): Promise<Owner[]> {
  const { rows } = await db.query<Owner>(`${lacking[kind]} order by 1, 2 limit ${OWNERS_MAX}`, [name]);
  return rows;
}
