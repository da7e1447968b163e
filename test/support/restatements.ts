/** Shops that are read past the end of the past days, so that these are final once they are computed. */
import type { TestDb } from './db/db.ts';

/** Every stream of the brand's connections is complete up to now, and nothing is wrong. */
export async function readToNow(db: TestDb, brandId: string): Promise<void> {
  await db.query(
    `insert into ops.positions as p (brand_id, connection_id, stream, state, position, complete_to, last_run_at, last_success_at, updated_at)
     select c.brand_id, c.id, s.stream, 'ok', '{}', now(), now(), now(), now()
     from app.connections c join ops.streams s on s.provider = c.provider
     where c.brand_id = $1 and c.removing_at is null
     on conflict (brand_id, connection_id, stream) do update set complete_to = now(), state = 'ok'`,
    [brandId],
  );
}

export type Restatement = {
  retailer: string | null;
  figure: string;
  day: string;
  column_name: string;
  old: string | null;
  new: string | null;
  cause: string;
};

/** The log of a brand, in the order of its cells. */
export function restatementsOf(db: TestDb, brandId: string, figure?: string): Promise<Restatement[]> {
  return db.rows<Restatement>(
    `select retailer, figure, day::text, column_name, old_value::text as old, new_value::text as new, cause
     from bi.restatements where brand_id = $1 and ($2::text is null or figure = $2)
     order by id, figure, day, column_name`,
    [brandId, figure ?? null],
  );
}
