/** Lists waiting and running jobs that carry new rates to the figures of brands. */
import type { Db } from '#sql/db/pool.ts';
import { fxBrand } from '#tasks/fx/fx_brand.ts';
import { fxFanOut } from '#tasks/fx/fx_fan_out.ts';
import type { Followed } from './follow.ts';

/** `also` names further tasks whose jobs count. */
export async function workOfRates(db: Db, also: readonly string[] = []): Promise<Followed[]> {
  const { rows } = await db.query<Followed>(
    `select w.id::text, concat_ws(' ', w.task, r.slug, 'of', b.slug) as label
     from (
       select job_id as id, task, payload from ops.jobs where task = any ($1) and state not in ('dead', 'held')
       union
       select job_id, task, payload from ops.job_runs where outcome = 'running' and task = any ($1)
     ) w
     left join app.brands b on b.id = (w.payload ->> 'brandId')::uuid
     left join app.retailers r on r.brand_id = b.id and r.id = (w.payload ->> 'retailerId')::uuid
     order by w.id`,
    [[fxFanOut.name, fxBrand.name, ...also]],
  );
  return rows;
}
