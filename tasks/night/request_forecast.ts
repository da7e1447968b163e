/** Queues the forecast once the sales of the night's day are complete, and again when the whole day is final. */
import type { Tx } from '#sql/db/pool.ts';
import { type Digest, isDone } from '#sql/nights/digest.ts';
import type { Night } from '#sql/nights/nights.ts';
import { enqueue } from '../enqueue.ts';
import { forecast } from '../forecast.ts';

/** Among the last of its transaction. */
export async function requestForecast(tx: Tx, { brandId, day }: Night, digest: Digest): Promise<void> {
  const areSalesDone = digest.sources.some(({ source, state }) => source === 'sales' && isDone(state));
  if (!areSalesDone) return;
  const { rows } = await tx.query<{ made_on: string; lacks: boolean }>(
    `select $2::date + 1 as made_on, exists (
       select from app.retailers r
       where r.brand_id = $1 and r.removing_at is null and not exists (
         select from agg.forecast_quality q
         where q.brand_id = r.brand_id and q.retailer_id = r.id and q.day = $2::date + 1)) as lacks`,
    [brandId, day],
  );
  const [found] = rows;
  if (found && (found.lacks || digest.is_final))
    await enqueue(tx, forecast, { brandId, madeOn: found.made_on });
}
