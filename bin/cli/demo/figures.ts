/** The figures of the demo, read from `bi` like any reader does, and the published totals that they must equal. */
import type { Db } from '#sql/db/pool.ts';

/** The totals that were published with the data set. */
export const KNOWN_TOTALS = {
  gross_sales: '10655622.484',
  returns: '896812.490',
  net_sales: '9758809.994',
  days_with_sales: 305,
};

export type Totals = typeof KNOWN_TOTALS & { orders: number; units: number; currency: string };

export type Ranked = { name: string; net_sales: string; orders: number };

export type Figures = {
  totals: Totals;
  months: Ranked[];
  products: Ranked[];
  countries: Ranked[];
};

const TOP = 5;

export async function readFigures(db: Db, brandId: string): Promise<Figures> {
  const ranked = async (text: string) => (await db.query<Ranked>(text, [brandId])).rows;
  const [{ rows }, months, products, countries] = await Promise.all([
    db.query<Totals>(TOTALS, [brandId]),
    ranked(MONTHS),
    ranked(top('bi.daily_product_sales', 'product')),
    ranked(top('bi.daily_country_sales', 'country')),
  ]);
  return { totals: rows[0] ?? NOTHING, months, products, countries };
}

/** The names of those that differ. */
export function differences(totals: Totals): string[] {
  return Object.entries(KNOWN_TOTALS).flatMap(([name, known]) => {
    const found = totals[name as keyof typeof KNOWN_TOTALS];
    return found === known ? [] : [`${name} is ${found} and should be ${known}`];
  });
}

const NOTHING = {
  gross_sales: '0',
  returns: '0',
  net_sales: '0',
  days_with_sales: 0,
  orders: 0,
  units: 0,
  currency: '',
};

const TOTALS = `
  select round(sum(gross_sales), 3)::text as gross_sales, round(sum(returns), 3)::text as returns,
         round(sum(net_sales), 3)::text as net_sales, sum(orders)::int as orders, sum(units)::int as units,
         count(distinct day)::int as days_with_sales, min(currency) as currency
  from bi.daily_sales where brand_id = $1 having count(*) > 0`;

const MONTHS = `
  select to_char(day, 'YYYY-MM') as name, round(sum(net_sales), 3)::text as net_sales, sum(orders)::int as orders
  from bi.daily_sales where brand_id = $1 group by 1 order by 1`;

function top(view: string, column: string): string {
  return `
    select ${column} as name, round(sum(net_sales), 3)::text as net_sales, sum(orders)::int as orders
    from ${view} where brand_id = $1 group by 1 order by sum(net_sales) desc, 1 limit ${TOP}`;
}
