/** The money of the demo: cash beside sales, and what recurs. */
import type { Db } from '#sql/db/pool.ts';

/** A retailer's year in one currency. Amounts are decimals as text, in major units. */
export type Cash = {
  retailer: string;
  currency: string;
  /** Null where the retailer has no shop. */
  net_sales: string | null;
  charges: string;
  refunds: string;
  fees: string;
  net: string;
  payouts: string;
  /** At the end of the last day. */
  closing_balance: string;
};

/** Days of retailers with a shop on which charges were compared with orders. */
export type Compared = {
  days_compared: number;
  days_differing: number;
  /** The first few that differ, each in words. */
  differing: string[];
};

/** A month of recurring revenue in one currency, at the end of its last day. */
export type Recurring = {
  month: string;
  currency: string;
  mrr: string;
  new_mrr: string;
  expansion_mrr: string;
  reactivated_mrr: string;
  contraction_mrr: string;
  churned_mrr: string;
  /** Whether any of it was not observed but reconstructed from times and invoices. */
  is_reconstructed: boolean;
};

/** Recurring revenue of the last day over all currencies; null where a rate is missing. */
export type Consolidated = { day: string; currency: string; mrr: string | null; rates: string[] };

export type Money = {
  cash: Cash[];
  compared: Compared;
  recurring: Recurring[];
  days_of_mrr: number;
  days_reconstructed: number;
  consolidated: Consolidated | null;
};

const NAMED_MAX = 5;

export async function readMoney(db: Db, brandId: string): Promise<Money> {
  const [compared, cash, recurring, days, consolidated] = await Promise.all([
    compare(db, brandId),
    db.query<Cash>(CASH, [brandId]),
    db.query<Recurring>(RECURRING, [brandId]),
    db.query<{ days: number; reconstructed: number }>(DAYS, [brandId]),
    db.query<Consolidated>(CONSOLIDATED, [brandId]),
  ]);
  return {
    ...{ compared, cash: cash.rows, recurring: recurring.rows, consolidated: consolidated.rows[0] ?? null },
    days_of_mrr: days.rows[0]?.days ?? 0,
    days_reconstructed: days.rows[0]?.reconstructed ?? 0,
  };
}

/** What is wrong with the money. */
export function wrongMoney({ compared, recurring }: Money): string[] {
  const { days_compared, days_differing, differing } = compared;
  return [
    ...(days_compared === 0 ? ['there is no day on which charges can be compared with orders'] : []),
    ...(days_differing > 0
      ? [`charges differ from orders on ${days_differing} days: ${differing.join(', ')}`]
      : []),
    ...(recurring.length === 0 ? ['there is no recurring revenue'] : []),
  ];
}

async function compare(db: Db, brandId: string): Promise<Compared> {
  type Row = { retailer: string; day: string; order_total: string; charge_amount: string; differs: boolean };
  const { rows } = await db.query<Row>(COMPARED, [brandId]);
  const wrong = rows.filter(({ differs }) => differs);
  const said = wrong.map((row) => `${row.retailer} ${row.day} ${row.charge_amount} for ${row.order_total}`);
  return { days_compared: rows.length, days_differing: wrong.length, differing: said.slice(0, NAMED_MAX) };
}

const CASH = `
  with sales as (
    select retailer, currency, sum(net_sales) as net_sales from bi.daily_sales where brand_id = $1 group by 1, 2
  ), cash as (
    select retailer, currency, sum(charge_amount) as charges, sum(refund_amount) as refunds, sum(fees) as fees,
           sum(net) as net, sum(payout_amount) as payouts,
           (array_agg(closing_balance order by day desc))[1] as closing_balance
    from bi.daily_payments where brand_id = $1 group by 1, 2
  )
  select retailer, currency, trim_scale(s.net_sales)::text as net_sales, trim_scale(coalesce(c.charges, 0))::text as charges,
         trim_scale(coalesce(c.refunds, 0))::text as refunds, trim_scale(coalesce(c.fees, 0))::text as fees,
         trim_scale(coalesce(c.net, 0))::text as net, trim_scale(coalesce(c.payouts, 0))::text as payouts,
         trim_scale(coalesce(c.closing_balance, 0))::text as closing_balance
  from sales s full join cash c using (retailer, currency)
  order by s.net_sales desc nulls last, currency`;

// Sums up the orders without matching single charges, so that the two ways have nothing in common. A line may have
// three decimal places and a charge has whole pence, so the sum of the day is rounded, and nothing else.
const COMPARED = `
  with shops as (
    select r.id as retailer_id, r.slug as retailer, b.time_zone, c.id as connection_id
    from app.brands b
    join app.connections c on c.brand_id = b.id and c.provider = 'shopify'
    join app.retailers r on r.brand_id = b.id and r.id = c.retailer_id
    where b.id = $1
  ), ordered as (
    select s.retailer, (o.processed_at at time zone s.time_zone)::date as day, o.currency, sum(o.total_price) as order_total
    from shops s
    join raw.shopify_orders o on o.brand_id = $1 and o.connection_id = s.connection_id
    where o.deleted_at is null and not o.test
    group by 1, 2, 3 having sum(o.total_price) <> 0
  ), paid as (
    select p.retailer, p.day, p.currency, p.charge_amount from bi.daily_payments p
    where p.brand_id = $1 and p.retailer_id in (select retailer_id from shops) and p.charge_amount <> 0
  )
  select retailer, day, trim_scale(coalesce(o.order_total, 0))::text as order_total,
         trim_scale(coalesce(p.charge_amount, 0))::text as charge_amount,
         fact.round_to_currency(coalesce(o.order_total, 0), currency) <> coalesce(p.charge_amount, 0) as differs
  from ordered o full join paid p using (retailer, day, currency)
  order by day, retailer`;

const RECURRING = `
  with days as (
    select day, currency, sum(mrr) as mrr, sum(new_mrr) as new_mrr, sum(expansion_mrr) as expansion_mrr,
           sum(reactivated_mrr) as reactivated_mrr, sum(contraction_mrr) as contraction_mrr,
           sum(churned_mrr) as churned_mrr, bool_or(is_reconstructed) as is_reconstructed
    from bi.daily_mrr where brand_id = $1 group by 1, 2
  )
  select to_char(day, 'YYYY-MM') as month, currency,
         fact.round_to_currency((array_agg(mrr order by day desc))[1], currency)::text as mrr,
         fact.round_to_currency(sum(new_mrr), currency)::text as new_mrr,
         fact.round_to_currency(sum(expansion_mrr), currency)::text as expansion_mrr,
         fact.round_to_currency(sum(reactivated_mrr), currency)::text as reactivated_mrr,
         fact.round_to_currency(sum(contraction_mrr), currency)::text as contraction_mrr,
         fact.round_to_currency(sum(churned_mrr), currency)::text as churned_mrr,
         bool_or(is_reconstructed) as is_reconstructed
  from days group by 1, 2 order by 2, 1`;

const DAYS = `
  select count(*)::int as days, count(*) filter (where is_reconstructed)::int as reconstructed
  from (
    select bool_or(is_reconstructed) as is_reconstructed from bi.daily_mrr where brand_id = $1 group by day
  ) d`;

// Each currency is rounded once, as in the figures of the platform.
const CONSOLIDATED = `
  with last as (
    select m.day, m.currency, b.reporting_currency, sum(m.mrr) as mrr
    from bi.daily_mrr m join app.brands b on b.id = m.brand_id
    where m.brand_id = $1 and m.day = (select max(day) from bi.daily_mrr where brand_id = $1)
    group by 1, 2, 3
  )
  select l.day, l.reporting_currency as currency,
         case when bool_and(x.fx_rate is not null)
              then sum(fact.round_to_currency(l.mrr * x.fx_rate, l.reporting_currency))::text end as mrr,
         coalesce(array_agg(round(x.fx_rate, 5) || ' ' || l.reporting_currency || '/' || l.currency
                              || ', ' || x.fx_day order by l.currency)
           filter (where l.currency <> l.reporting_currency and x.fx_rate is not null), '{}') as rates
  from last l
  cross join lateral fact.exchange_rate(l.currency, l.reporting_currency, l.day) x
  group by 1, 2`;
