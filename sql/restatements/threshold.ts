/** How far net sales of final days may move before a person is told. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { only } from '../tenants/brands.ts';

/** Of the log, this long ago and since. */
export const WATCHED_FOR = '24 hours';

export async function readThreshold(db: Reader, brandId: string): Promise<string | null> {
  const { rows } = await db.query<{ percent: string | null }>(
    'select trim_scale(restatement_percent)::text as percent from app.brands where id = $1',
    [brandId],
  );
  return only(rows).percent;
}

/** Decimal text; null: nobody is told. */
export async function setThreshold(
  tx: Tx,
  brandId: string,
  percent: string | null,
  { actor }: { actor?: string } = {},
): Promise<void> {
  const { rows } = await tx.query<{ slug: string; before: string | null }>(
    `select slug, trim_scale(restatement_percent)::text as before from app.brands where id = $1 for no key update`,
    [brandId],
  );
  const { slug: target, before } = only(rows);
  if (before === percent) return;
  await tx.query('update app.brands set restatement_percent = $2 where id = $1', [brandId, percent]);
  const change = { before: { percent: before }, after: { percent } };
  await recordAction(tx, { action: 'restatements.alert', brandId, target, ...change, actor });
}

export type MovedSales = {
  day: string;
  currency: string;
  before: string;
  after: string;
  percent: string | null;
};

const MOVED_MAX = 5;

/**
 * Net sales of final days that have moved further than the brand allows, the furthest first: what a day and currency
 * were before the changes of the last 24 hours, against what they are. Where nothing was sold any change is too far.
 */
export async function movedTooFar(db: Reader, brandId: string, now: Date): Promise<MovedSales[]> {
  const { rows } = await db.query<MovedSales>(
    `with moved as (
       select day, last_day, currency, sum(case column_name when 'gross_sales' then difference else -difference end) as moved
       from ops.restatements
       where brand_id = $1 and restated_at > $2::timestamptz - interval '${WATCHED_FOR}' and rollup = 'daily_sales'
         and column_name in ('gross_sales', 'discounts', 'returns')
       group by day, last_day, currency
     )
     select m.day::text, m.currency, trim_scale(s.net - m.moved)::text as before, trim_scale(s.net)::text as after,
            round(abs(m.moved) * 100 / nullif(abs(s.net - m.moved), 0), 1)::text as percent
     from moved m
     join app.brands b on b.id = $1
     cross join lateral (
       select coalesce(sum(a.gross_sales - a.discounts - a.returns), 0) as net from agg.daily_sales a
       where a.brand_id = $1 and a.day between m.day and m.last_day and a.currency = m.currency) s
     where m.moved <> 0 and abs(m.moved) * 100 >= b.restatement_percent * abs(s.net - m.moved)
     order by abs(m.moved) * 100 / nullif(abs(s.net - m.moved), 0) desc nulls first, m.day, m.currency limit ${MOVED_MAX}`,
    [brandId, now],
  );
  return rows;
}

export type WrongSums = { rollup: string; days: number; first: string; last: string };

/** Sums of figures that differ from those that they must equal. */
export async function wrongSums(db: Reader, brandId: string): Promise<WrongSums[]> {
  const { rows } = await db.query<WrongSums>(
    `select rollup, count(distinct day)::int as days, min(day)::text as first, max(day)::text as last
     from ops.figure_checks where brand_id = $1 and not ok group by rollup order by rollup`,
    [brandId],
  );
  return rows;
}
