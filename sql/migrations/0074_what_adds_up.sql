-- What can be summed up and what cannot, and what definitions left open.

-- Behind what the columns say already.
do $$
declare
  v_column text;
  v_addition text;
begin
  for v_column, v_addition in
    select c, a from (values
      ('daily_sales average_order_value', 'NOT ADDITIVE'),
      ('daily_product_sales orders', 'NOT ADDITIVE over products'),
      ('daily_product_sales margin', 'NOT ADDITIVE: divide the sums'),
      ('daily_country_sales customers', 'NOT ADDITIVE: a customer may be in several rows'),
      ('daily_payments closing_balance', 'NOT ADDITIVE over days: a level'),
      ('daily_mrr active_subscriptions', 'NOT ADDITIVE over days, nor over plans'),
      ('daily_mrr trialing', 'NOT ADDITIVE over days, nor over plans'),
      ('daily_mrr paused', 'NOT ADDITIVE over days, nor over plans'),
      ('daily_mrr churned_subscriptions', 'NOT ADDITIVE over plans'),
      ('daily_mrr mrr', 'An amount off counts as often a month as the first item is billed that it is for, and is shared over the items by what they are worth a month, also where they are billed at different intervals. NOT ADDITIVE over days: a level'),
      ('platform_metrics mrr', 'NOT ADDITIVE: a level'),
      ('platform_metrics brands', 'NOT ADDITIVE: a level'),
      ('platform_metrics retailers', 'NOT ADDITIVE: a level'),
      ('platform_metrics connections', 'NOT ADDITIVE: a level'),
      ('platform_metrics subscribers', 'NOT ADDITIVE: a level'),
      ('platform_metrics churned_subscribers', 'NOT ADDITIVE: the 30 days of two rows overlap'),
      ('platform_metrics retailers_without_mrr', 'NOT ADDITIVE: a level'),
      ('platform_metrics unknown_mrr_rows', 'NOT ADDITIVE: a level'),
      ('daily_stock level_before', 'NOT ADDITIVE over days: a level'),
      ('daily_stock level', 'NOT ADDITIVE over days: a level'),
      ('daily_social followers', 'NOT ADDITIVE over days'),
      ('daily_social reach', 'NOT ADDITIVE'),
      ('social_posts reach', 'NOT ADDITIVE'),
      ('revenue_forecast predicted', 'NOT ADDITIVE over made_on: take the rows of one day of making, such as is_latest'),
      ('revenue_forecast lower', 'NOT ADDITIVE: bounds of a sum are not the sums of bounds'),
      ('revenue_forecast upper', 'NOT ADDITIVE: as lower'),
      ('retailer_rankings retailers', 'NOT ADDITIVE: the same in each row of a period'),
      ('closed_figures closed_value', 'NOT ADDITIVE over columns and days of levels and averages'),
      ('snapshots rows', 'NOT ADDITIVE: each snapshot has all of them'),
      ('snapshots parts', 'NOT ADDITIVE: each snapshot has all of them'),
      ('snapshots bytes', 'NOT ADDITIVE: each snapshot has all of them'),
      ('snapshots stored_bytes', 'NOT ADDITIVE: sum up new_bytes')
    ) as told (c, a)
    union all
    select 'retailer_rankings ' || c, 'NOT ADDITIVE over kinds of period, which overlap'
    from unnest('{net_sales,previous_net_sales,attributed_orders,attributed_revenue,spend,delivered,unique_opens,unique_clicks,impressions,engagement,asset_actions}'::text[]) c
  loop
    execute (
      select format('comment on column bi.%I.%I is %L', v.relname, n.attname, col_description(v.oid, n.attnum) || '. ' || v_addition)
      from pg_class v
      join pg_attribute n on n.attrelid = v.oid and n.attname = split_part(v_column, ' ', 2)
      where v.oid = ('bi.' || split_part(v_column, ' ', 1))::regclass);
  end loop;
end $$;

comment on column bi.daily_sales.returning_customers is 'other customers with a counted order in this row. NOT ADDITIVE: a customer may be in several rows, and new in another one; bi.customer_cohorts has those of a month, each once';
comment on column bi.closed_sales.returning_customers is 'other customers with a counted order in this row. NOT ADDITIVE, as in bi.daily_sales';
comment on column bi.sales_adjustments.returning_customers is 'by how much the sum over the rows of bi.daily_sales has changed. NOT ADDITIVE as a number of customers';

-- Whoever unsubscribes several times on a day was counted as often.
comment on column bi.daily_email.unsubscribes is 'persons who unsubscribed on the day by letters of the campaign, from everything or from groups, each once; where counted_from is counts, unsubscriptions as the provider counts them. NOT ADDITIVE over days and campaigns: a person may be in several';
comment on column bi.campaign_performance.unsubscribes is 'persons who unsubscribed by letters of it, as in delivered, each once a day and mailing or category; on days of which only the provider''s own counts are known, unsubscriptions';
insert into ops.marks (brand_id, subject, day, marked_at, cause)
select distinct brand_id, 'email', day, now(), 'changed_definition' from agg.daily_email
where counted_from = 'events' and unsubscribes > 1;

comment on column bi.completeness.state is 'final; settling: nothing is wrong, but its nature is to move for some days; provisional: not proven yet, and not late; late: not proven although the day has been over for 12 hours, and what waits to be computed has waited as long. Of a fault nobody knows which day it is in, nor of a customer or subscription that waits: then none is final. It says nothing of exchange rates: in a final row an amount in the reporting currency may be null or left out for want of a rate (fx_cause, is_complete), or be converted at the rate of an earlier day (fx_day)';
comment on view bi.restatements is 'Figures of days that were final and have changed since, one row for each column of a row: the first final value and all differences add up to the present one. A day is final once bi.completeness said so and nothing of it waited to be computed. Kept for a year, or as long as the brand says. Not in it: what is of no day (customer_value and top_customers, social_posts, order_credits, campaign_performance, stock and its history), rankings, forecasts, what senders report (funnel, assets, scans, experiments), and country_growth, whose days are in daily_country_sales. A rate that comes late or is revised is in it as fx_rate alone, and not as the amounts in the reporting currency that it moves.';
comment on column bi.restatements.figure is 'table of the figure: daily_sales, daily_product_sales, daily_country_sales, daily_payments, daily_mrr, daily_email, daily_social, daily_campaigns or customer_cohorts';
comment on view bi.top_customers is 'The hundred customers with the highest net sales of each retailer and currency, of those with a counted order in that currency.';
comment on function bi.customer_segments is 'Segments of the customers of a brand as of any day, of the orders up to it as they are known now; of today it says what bi.customer_value does. Customers without a counted order up to that day have no row.';
comment on function bi.daily_sales_as_of is 'bi.daily_sales of a brand as it stood at the end of a day in the brand''s time zone, as far as it is known. state is final for days that were final then; not_final for others, and unknown where changes since are not known cell by cell, both without figures and with the cause.';

-- Only what Stripe charged is known as paid.
comment on view bi.order_payments is 'What Stripe charged for each order, and charges without an order: one row per order that is neither test nor deleted, and one row per captured charge that is in no order''s row, so every charge is in exactly one row. Only charges of the connected Stripe accounts are known: an order that was paid in any other way (another gateway, in cash, by gift card, or all orders of a retailer without a Stripe connection) is unpaid here. A charge is matched by the order id or name that it, or its payment intent, carries. Always current: it needs no rollup.';
comment on column bi.order_payments.state is 'order rows: matched (charged exactly its total), unpaid (nothing was charged through the connected Stripe accounts; it may be paid elsewhere), partial, over (charged more), nothing_due, ambiguous (a charge names this order and another one equally); charge rows: no_reference (names no order), not_found, ambiguous, other_currency (the row of its order is in another currency)';
comment on column bi.order_payments.difference is 'order_total - charged: what was not charged through the connected Stripe accounts, and may be paid elsewhere; in a charge''s row -charged';
comment on column bi.daily_cash_and_sales.order_charged is 'amount charged for those orders on any day through the connected Stripe accounts, before fees';
comment on column bi.daily_cash_and_sales.difference is 'order_total - order_charged: what was not charged for those orders through the connected Stripe accounts, because they owe it or because it was paid elsewhere, which is not known; negative if more was charged';
comment on column bi.daily_cash_and_sales.orders_open is 'those orders for which less or nothing was charged through the connected Stripe accounts, wherever else they may have been paid, or whose charges are ambiguous';

-- Campaigns whose orders of a day do not count had rows of zeros.
insert into ops.marks (brand_id, subject, day, marked_at, cause)
select distinct brand_id, 'campaigns', day, now(), 'changed_definition' from agg.daily_campaigns
where spend = 0 and attributed_orders = 0 and attributed_revenue = 0 and credited_orders = 0 and credited_revenue = 0;
