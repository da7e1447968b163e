/** The log of restatements for those who look. */
import type { Reader } from '../db/reader.ts';

export type RestatementRow = {
  restated_at: Date;
  retailer: string | null;
  figure: string;
  day: string;
  last_day: string;
  key: Record<string, string> | null;
  column_name: string;
  old_value: string | null;
  new_value: string | null;
  difference: string | null;
  currency: string | null;
  cause: string;
  cells: number;
  job_id: string | null;
};

export type RestatementFilter = {
  brandId: string;
  since?: string | undefined;
  day?: string | undefined;
  max: number;
};

/** Latest first. */
export async function listRestatements(
  db: Reader,
  { brandId, since, day, max }: RestatementFilter,
): Promise<RestatementRow[]> {
  const { rows } = await db.query<RestatementRow>(
    `select restated_at, retailer, figure, day::text, last_day::text, key, column_name, old_value::text, new_value::text,
            difference::text, currency, cause, cells, job_id::text
     from bi.restatements
     where brand_id = $1 and ($2::timestamptz is null or restated_at >= $2) and ($3::date is null or $3 between day and last_day)
     order by restated_at desc, id desc limit $4`,
    [brandId, since ?? null, day ?? null, max],
  );
  return rows;
}

export type RestatedSince = {
  cells: number;
  causes: { cause: string; cells: number }[];
  /** By currency, the day of a retailer whose net sales have moved most. */
  largest: { retailer: string; day: string; currency: string; difference: string }[];
};

/** What has changed of final days since the night before the one of this day began. */
export async function restatedSinceNight(db: Reader, brandId: string, day: string): Promise<RestatedSince> {
  const { rows } = await db.query<RestatedSince>(
    `with logged as materialized (
       select a.* from ops.restatements a
       where a.brand_id = $1 and a.restated_at >= (
         select max(n.begun_at) from ops.nights n where n.brand_id = $1 and n.day < $2::date)
     ), moved as (
       select r.slug as retailer, a.day, a.currency,
              sum(case a.column_name when 'gross_sales' then a.difference else -a.difference end) as difference
       from logged a join app.retailers r on r.brand_id = $1 and r.id = a.retailer_id
       where a.rollup = 'daily_sales' and a.column_name in ('gross_sales', 'discounts', 'returns') and a.day = a.last_day
       group by r.slug, a.day, a.currency
     )
     select coalesce((select sum(cells) from logged), 0)::int as cells,
            coalesce((select json_agg(c order by c.cells desc, c.cause)
                      from (select cause, sum(cells)::int as cells from logged group by cause) c), '[]') as causes,
            coalesce((select json_agg(m order by m.currency) from (
              select distinct on (currency) retailer, day::text, currency, trim_scale(difference)::text as difference
              from moved where difference <> 0 order by currency, abs(difference) desc, day, retailer) m), '[]') as largest`,
    [brandId, day],
  );
  return rows[0] ?? { cells: 0, causes: [], largest: [] };
}
