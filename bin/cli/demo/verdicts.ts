/** What was worth its money in the demo: retailers, campaigns, customers and products. */
import type { Db } from '#sql/db/pool.ts';
import { storeReorderPoints } from '#sql/stock/reorder_points.ts';

export type Ranking = {
  month: string;
  rank: number;
  retailer: string;
  grade: string;
  score: string;
  net_sales: string;
  growth: string | null;
  roi_percentage: string | null;
  reasons: string[];
};

export type CampaignVerdict = {
  campaign: string;
  spend: string;
  orders: number;
  revenue: string;
  roi_percentage: string | null;
};

export type TopCustomer = {
  customer_id: string;
  retailer: string;
  country: string;
  orders: number;
  net_sales: string;
  segment: string;
};

/** How many of the customers of a month ordered in each of the months from it on. */
export type Cohort = { retailer: string; month: string; customers: number[] };

export type LowStock = {
  sku: string;
  product: string;
  retailer: string;
  available: number;
  reorder_point: number;
  days_of_stock: string | null;
};

export type Verdicts = {
  rankings: Ranking[];
  campaigns: CampaignVerdict[];
  customers: TopCustomer[];
  cohorts: Cohort[];
  low_stock: LowStock[];
};

/** A product that sold more pieces than this in four weeks is to be ordered again at half of them. */
const SOLD_MANY = 500;

/** Reorder points of what sells best, which are made up. */
export async function setReorderPoints(db: Db, brandId: string): Promise<void> {
  const { rows } = await db.query<{ retailerId: string; sku: string; quantity: number }>(
    `select retailer_id as "retailerId", sku, round(sum(units_sold) / 2)::int as quantity from bi.stock
     where brand_id = $1 and sku is not null group by 1, 2 having sum(units_sold) > $2 order by 1, 2`,
    [brandId, SOLD_MANY],
  );
  await db.transaction((tx) => storeReorderPoints(tx, { brandId, target: 'demo' }, rows));
}

export async function readVerdicts(db: Db, brandId: string): Promise<Verdicts> {
  const read = async <Row extends object>(sql: string) => (await db.query<Row>(sql, [brandId])).rows;
  return {
    rankings: await read<Ranking>(RANKINGS),
    campaigns: await read<CampaignVerdict>(CAMPAIGNS),
    customers: await read<TopCustomer>(CUSTOMERS),
    cohorts: await read<Cohort>(COHORTS),
    low_stock: await read<LowStock>(LOW_STOCK),
  };
}

/** What is wrong with them: every part of the year has a verdict. */
export function wrongVerdicts(verdicts: Verdicts): string[] {
  return Object.entries(verdicts)
    .filter(([, rows]) => rows.length === 0)
    .map(([name]) => `there are no ${name.replace('_', ' ')}`);
}

const RANKINGS = `
  select period_start::text as month, rank::int, retailer, grade, score::text, round(net_sales)::text as net_sales,
         growth::text, roi_percentage::text, reasons
  from bi.retailer_rankings
  where brand_id = $1 and period = 'month' and rank is not null and period_start = (
    select max(period_start) from bi.retailer_rankings where brand_id = $1 and period = 'month' and is_complete)
  order by rank, retailer`;

const CAMPAIGNS = `
  select campaign_name as campaign, round(spend)::text as spend, attributed_orders::int as orders,
         round(attributed_revenue)::text as revenue, roi_percentage::text
  from bi.campaign_performance where brand_id = $1
  order by roi_percentage desc nulls last, campaign`;

const CUSTOMERS = `
  select t.customer_id, t.retailer, t.country, t.orders::int, round(t.net_sales)::text as net_sales, v.segment
  from bi.top_customers t
  join bi.customer_value v using (brand_id, retailer_id, connection_id, customer_id, currency)
  where t.brand_id = $1
  order by t.net_sales desc, t.customer_id limit 5`;

const COHORTS = `
  select retailer, cohort_month::text as month, array_agg(customers::int order by month_number) as customers
  from bi.customer_cohorts
  where brand_id = $1 and month_number >= 0 -- what is booked before the first counted order has no customers
  group by retailer, cohort_month
  order by max(cohort_customers) desc, cohort_month, retailer limit 3`;

const LOW_STOCK = `
  select sku, product, retailer, available::int, reorder_point::int, days_of_stock::text
  from bi.stock
  where brand_id = $1 and is_low
  order by days_of_stock nulls last, retailer, sku limit 5`;
