/** Net sales of a retailer as forecasts read them: each day up to one, those without sales too, in each currency. */
import type { Tx } from '../../db/pool.ts';

/** Three years: what the same weeks of last year say needs two of them. */
const DAYS_MAX = 3 * 52 * 7;

export type SalesHistory = {
  currency: string;
  /** From the day of the first sale to the last day before. Floats: they estimate, and are never stored. */
  sales: readonly number[];
};

export async function readSalesHistory(
  tx: Tx,
  { brandId, retailerId, before }: { brandId: string; retailerId: string; before: string },
): Promise<SalesHistory[]> {
  const { rows } = await tx.query<{ currency: string; days_before: number; net_sales: number }>(
    `select currency, $3::date - day as days_before, (gross_sales - discounts - returns)::float8 as net_sales
     from agg.daily_sales
     where brand_id = $1 and retailer_id = $2 and day >= $3::date - ${DAYS_MAX} and day < $3::date
     order by day, currency`,
    [brandId, retailerId, before],
  );
  const histories = new Map<string, number[]>();
  for (const { currency, days_before: daysBefore, net_sales: netSales } of rows) {
    const sales = histories.get(currency) ?? new Array<number>(daysBefore).fill(0);
    sales[sales.length - daysBefore] = netSales;
    histories.set(currency, sales);
  }
  return [...histories].map(([currency, sales]) => ({ currency, sales }));
}
