/** The rollups that wait or run, of whatever brand: those that new rates have caused are among them. */
import type { Db } from '#sql/db/pool.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Followed } from '../shared/follow.ts';

export async function rollupsOfAll(db: Db): Promise<Followed[]> {
  const { rows } = await db.query<Followed>(
    `select w.id::text, concat_ws(' ', 'rollup', r.slug, 'of', b.slug) as label
     from (
       select job_id as id, payload from ops.jobs where task = $1 and state not in ('dead', 'held')
       union
       select job_id, payload from ops.job_runs where outcome = 'running' and task = $1
     ) w
     left join app.brands b on b.id = (w.payload ->> 'brandId')::uuid
     left join app.retailers r on r.brand_id = b.id and r.id = (w.payload ->> 'retailerId')::uuid
     order by w.id`,
    [rollup.name],
  );
  return rows;
}
