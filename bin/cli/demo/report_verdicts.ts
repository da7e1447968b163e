/** Formats for a person what was worth its money in the demo. */
import { grouped } from '../ui/format.ts';
import { bold } from '../ui/output.ts';
import { table } from './table.ts';
import type { Ranking, Verdicts } from './verdicts.ts';

const PRODUCT_WIDTH = 32;

const inPercent = (value: string | null) => (value === null ? '' : `${grouped(value)} %`);

export function verdictLines(
  { rankings, campaigns, customers, cohorts, low_stock }: Verdicts,
  currency: string,
): string[] {
  return [
    ...section(
      `Retailers ranked, ${rankings[0]?.month.slice(0, 7) ?? ''}, ${currency}`,
      ['', 'rank', 'grade', 'score', 'net sales', 'growth', 'ROI'],
      rankings.map((row) => [
        row.retailer,
        ...[String(row.rank), row.grade, row.score, grouped(row.net_sales)],
        ...[inPercent(row.growth), inPercent(row.roi_percentage)],
      ]),
    ),
    ...reasonLines(rankings),
    ...section(
      `Campaigns (spend and visits made up), ${currency}`,
      ['', 'spend', 'orders', 'brought', 'ROI'],
      campaigns.map(({ campaign, spend, orders, revenue, roi_percentage }) => [
        campaign,
        ...[grouped(spend), grouped(orders), grouped(revenue), inPercent(roi_percentage)],
      ]),
    ),
    ...section(
      `Best customers, ${currency}`,
      ['', 'shop', 'country', 'orders', 'net sales', 'segment'],
      customers.map((row) => [
        row.customer_id,
        ...[row.retailer, row.country, grouped(row.orders), grouped(row.net_sales), row.segment],
      ]),
    ),
    ...section(
      'Customers by the month of their first order, who ordered in that month and in those after it',
      ['', ...Array.from({ length: cohorts[0]?.customers.length ?? 0 }, (_, at) => String(at))],
      cohorts.map(({ retailer, month, customers: counts }) => [
        `${retailer} ${month.slice(0, 7)}`,
        ...Array.from({ length: cohorts[0]?.customers.length ?? 0 }, (_, at) => grouped(counts[at] ?? '')),
      ]),
    ),
    ...section(
      'To be ordered again (stock made up)',
      ['', 'product', 'shop', 'there', 'reorder at', 'lasts, days'],
      low_stock.map((row) => [
        row.sku,
        ...[row.product.slice(0, PRODUCT_WIDTH), row.retailer, grouped(row.available)],
        ...[grouped(row.reorder_point), row.days_of_stock ?? ''],
      ]),
    ),
  ];
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return ['', bold(title), ...table([head, ...rows])];
}

function reasonLines(rankings: readonly Ranking[]): string[] {
  return rankings.flatMap(({ retailer, reasons }) => reasons.map((reason) => `  ${retailer}: ${reason}`));
}
