-- Closed periods: figures as they were when a month was closed, and what has changed since, booked in the month that was open.

create table ops.period_closings (
  brand_id uuid not null,
  id bigint generated always as identity,
  period date not null,
  closed_at timestamptz not null,
  closed_by text not null,
  note text,
  reason text,
  not_final jsonb,
  rows bigint not null default 0,
  reopened_at timestamptz,
  reopened_by text,
  reopened_reason text,
  primary key (brand_id, id),
  check (extract(day from period) = 1),
  check ((reason is null) = (not_final is null)),
  check ((reopened_at is null) = (reopened_by is null) and (reopened_at is null) = (reopened_reason is null))
);
create unique index period_closings_current on ops.period_closings (brand_id, period) where reopened_at is null;
comment on table ops.period_closings is 'months of brands that were closed; those that were reopened stay, with what was frozen of them';
comment on column ops.period_closings.period is 'first day of the month';
comment on column ops.period_closings.reason is 'why it was closed although not all of its days were final';
comment on column ops.period_closings.not_final is 'by source, what was not final then';
comment on column ops.period_closings.rows is 'rows of figures that were frozen';

-- One table for the figures of all rollups, because a descriptor says which columns are the key and which the figures.
create table ops.closed_figures (
  brand_id uuid not null,
  closing_id bigint not null,
  rollup text not null,
  day date not null,
  id bigint generated always as identity,
  retailer_id uuid,
  key jsonb not null,
  currency text,
  figures jsonb not null,
  primary key (brand_id, closing_id, rollup, day, id)
);
create index closed_figures_by_retailer on ops.closed_figures (brand_id, retailer_id);
comment on table ops.closed_figures is 'rows of agg as they were when their period was closed; written by the closing and by nothing else';
comment on column ops.closed_figures.retailer_id is 'whose row; null for the brand''s own';
comment on column ops.closed_figures.day is 'the day, or the first one of a period that ends in the closed one';
comment on column ops.closed_figures.key is 'the rest of the key of the row';
comment on column ops.closed_figures.figures is 'all other columns of the row, with each digit';

create table ops.period_adjustments (
  brand_id uuid not null,
  closing_id bigint not null,
  rollup text not null,
  retailer_id uuid,
  column_name text not null,
  currency text,
  booked_in date not null,
  cause text not null,
  difference numeric not null,
  cells bigint not null,
  booked_at timestamptz not null,
  unique nulls not distinct (brand_id, closing_id, rollup, retailer_id, column_name, currency, booked_in, cause)
);
comment on table ops.period_adjustments is 'running sums of what has changed of closed figures, written by the statement that changes them: closed figures and adjustments add up to the present ones';
comment on column ops.period_adjustments.booked_in is 'first day of the month that was open when the change was computed';
comment on column ops.period_adjustments.cells is 'how many changes of cells are in the sum';
comment on column ops.period_adjustments.booked_at is 'when the latest of them was computed';

create view bi.closed_periods as
select c.brand_id, b.slug as brand, c.period, (c.period + interval '1 month')::date - 1 as last_day,
       case when c.reopened_at is null then 'closed' else 'reopened' end as state,
       c.closed_at, c.closed_by, c.note, c.reason, c.not_final, c.rows, c.reopened_at, c.reopened_by, c.reopened_reason, c.id
from ops.period_closings c
join app.brands b on b.id = c.brand_id;
comment on view bi.closed_periods is 'Months that were closed, one row for each closing. Figures of a closed one stand still in bi.closed_figures and bi.closed_sales; what changes afterwards is in bi.period_adjustments.';
comment on column bi.closed_periods.brand_id is 'id of the brand';
comment on column bi.closed_periods.brand is 'short name of the brand';
comment on column bi.closed_periods.period is 'first day of the month, in the brand''s time zone';
comment on column bi.closed_periods.last_day is 'last day of the month';
comment on column bi.closed_periods.state is 'closed, or reopened: then neither its figures nor its adjustments count any more';
comment on column bi.closed_periods.closed_at is 'instant of which its figures are';
comment on column bi.closed_periods.closed_by is 'account that closed it';
comment on column bi.closed_periods.note is 'what that person said of it';
comment on column bi.closed_periods.reason is 'why it was closed although not all of its days were final; null if all were';
comment on column bi.closed_periods.not_final is 'what was not final then: source, first day, number of days, state and cause; null if all was';
comment on column bi.closed_periods.rows is 'rows of figures that were frozen';
comment on column bi.closed_periods.reopened_at is 'when it was reopened; null if it is closed';
comment on column bi.closed_periods.reopened_by is 'account that reopened it';
comment on column bi.closed_periods.reopened_reason is 'why it was reopened';
comment on column bi.closed_periods.id is 'number of the closing';

create view bi.closed_figures as
select f.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, c.period, f.rollup as figure, f.day, f.key,
       v.name as column_name, (v.value #>> '{}')::numeric as closed_value, f.currency, c.closed_at
from ops.period_closings c
join app.brands b on b.id = c.brand_id
join ops.closed_figures f on f.brand_id = c.brand_id and f.closing_id = c.id
cross join lateral jsonb_each(f.figures) as v (name, value)
left join app.retailers r on r.brand_id = f.brand_id
 and r.id = coalesce(f.retailer_id, case when f.rollup = 'daily_email' then (f.key ->> 'owner_id')::uuid end)
where c.reopened_at is null and jsonb_typeof(v.value) = 'number';
comment on view bi.closed_figures is 'Figures of closed months as they were when these were closed, one row for each number of a row. Nothing changes them; a retailer that is removed takes its own along.';
comment on column bi.closed_figures.brand_id is 'id of the brand';
comment on column bi.closed_figures.brand is 'short name of the brand';
comment on column bi.closed_figures.retailer_id is 'id of the retailer; null for figures of the brand as a whole';
comment on column bi.closed_figures.retailer is 'short name of the retailer; null as retailer_id';
comment on column bi.closed_figures.period is 'first day of the closed month';
comment on column bi.closed_figures.figure is 'table of the figure, such as daily_payments';
comment on column bi.closed_figures.day is 'day of the figure in the brand''s time zone, or the first day of its own period';
comment on column bi.closed_figures.key is 'what else tells the row apart, such as currency and plan';
comment on column bi.closed_figures.column_name is 'column of the figure';
comment on column bi.closed_figures.closed_value is 'what it was when the month was closed; a number that was not known has no row';
comment on column bi.closed_figures.currency is 'ISO 4217 code of the amounts of the row; null if the figure has none';
comment on column bi.closed_figures.closed_at is 'when the month was closed';

create view bi.closed_sales as
select f.brand_id, b.slug as brand, f.retailer_id, r.slug as retailer, c.period, f.day, f.currency,
       a.orders, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns, t.net_sales,
       a.shipping, a.taxes, a.duties, a.fees, a.tips, a.gift_cards_sold, a.refunded_money, t.total_sales,
       a.new_customers, a.returning_customers, a.guest_orders, a.reporting_currency, a.fx_rate,
       fact.round_to_currency(t.net_sales * a.fx_rate, a.reporting_currency) as net_sales_reporting,
       fact.round_to_currency(t.total_sales * a.fx_rate, a.reporting_currency) as total_sales_reporting,
       a.fx_day, a.fx_cause, c.closed_at
from ops.period_closings c
join app.brands b on b.id = c.brand_id
join ops.closed_figures f on f.brand_id = c.brand_id and f.closing_id = c.id and f.rollup = 'daily_sales'
join app.retailers r on r.brand_id = f.brand_id and r.id = f.retailer_id
cross join lateral jsonb_to_record(f.figures) as a (
  orders bigint, units bigint, units_returned bigint, gross_sales numeric, discounts numeric, returns numeric, shipping numeric,
  taxes numeric, duties numeric, fees numeric, tips numeric, gift_cards_sold numeric, refunded_money numeric,
  new_customers bigint, returning_customers bigint, guest_orders bigint, reporting_currency text, fx_rate numeric, fx_day date,
  fx_cause text)
cross join lateral (select a.gross_sales - a.discounts - a.returns as net_sales) n
cross join lateral (select n.net_sales, n.net_sales + a.shipping + a.taxes + a.duties + a.fees as total_sales) t
where c.reopened_at is null;
comment on view bi.closed_sales is 'bi.daily_sales of closed months as they were when these were closed. With bi.sales_adjustments they add up to what bi.daily_sales says now.';

create view bi.period_adjustments as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, c.period, a.booked_in, a.rollup as figure,
       a.column_name, a.difference, a.currency, a.cause, a.cells, a.booked_at
from ops.period_closings c
join app.brands b on b.id = c.brand_id
join ops.period_adjustments a on a.brand_id = c.brand_id and a.closing_id = c.id
left join app.retailers r on r.brand_id = a.brand_id and r.id = a.retailer_id
where c.reopened_at is null and a.difference <> 0;
comment on view bi.period_adjustments is 'What has changed of the figures of closed months, booked in the month that was open at that time. By brand, retailer, figure, column and currency: the sum over bi.closed_figures of a month and its adjustments is what the figure says now, a number that is not known being taken for 0.';
comment on column bi.period_adjustments.brand_id is 'id of the brand';
comment on column bi.period_adjustments.brand is 'short name of the brand';
comment on column bi.period_adjustments.retailer_id is 'id of the retailer; null for figures of the brand as a whole';
comment on column bi.period_adjustments.retailer is 'short name of the retailer; null as retailer_id';
comment on column bi.period_adjustments.period is 'first day of the closed month whose figures have changed';
comment on column bi.period_adjustments.booked_in is 'first day of the month in which the change is booked: that of the brand-local day on which it was computed, or the first one that was still open';
comment on column bi.period_adjustments.figure is 'table of the figure, such as daily_sales';
comment on column bi.period_adjustments.column_name is 'column that changed; exchange rates and other numbers that do not add have no adjustments';
comment on column bi.period_adjustments.difference is 'sum of new value - old value';
comment on column bi.period_adjustments.currency is 'ISO 4217 code of the amounts of the row; null if the figure has none';
comment on column bi.period_adjustments.cause is 'as in bi.restatements, which has the single changes of a year';
comment on column bi.period_adjustments.cells is 'how many changes of cells are in the sum';
comment on column bi.period_adjustments.booked_at is 'when the latest of them was computed';

-- Columns of sales beside each other, so that what is made of several (net and total sales) is there too.
create view bi.sales_adjustments as
select a.brand_id, a.brand, a.retailer_id, a.retailer, a.period, a.booked_in, a.currency,
       a.orders, a.units, a.units_returned, a.gross_sales, a.discounts, a.returns, t.net_sales,
       a.shipping, a.taxes, a.duties, a.fees, a.tips, a.gift_cards_sold, a.refunded_money, t.total_sales,
       a.new_customers, a.returning_customers, a.guest_orders, a.booked_at
from (
  select p.brand_id, p.brand, p.retailer_id, p.retailer, p.period, p.booked_in, p.currency,
         coalesce(sum(p.difference) filter (where p.column_name = 'orders'), 0) as orders,
         coalesce(sum(p.difference) filter (where p.column_name = 'units'), 0) as units,
         coalesce(sum(p.difference) filter (where p.column_name = 'units_returned'), 0) as units_returned,
         coalesce(sum(p.difference) filter (where p.column_name = 'gross_sales'), 0) as gross_sales,
         coalesce(sum(p.difference) filter (where p.column_name = 'discounts'), 0) as discounts,
         coalesce(sum(p.difference) filter (where p.column_name = 'returns'), 0) as returns,
         coalesce(sum(p.difference) filter (where p.column_name = 'shipping'), 0) as shipping,
         coalesce(sum(p.difference) filter (where p.column_name = 'taxes'), 0) as taxes,
         coalesce(sum(p.difference) filter (where p.column_name = 'duties'), 0) as duties,
         coalesce(sum(p.difference) filter (where p.column_name = 'fees'), 0) as fees,
         coalesce(sum(p.difference) filter (where p.column_name = 'tips'), 0) as tips,
         coalesce(sum(p.difference) filter (where p.column_name = 'gift_cards_sold'), 0) as gift_cards_sold,
         coalesce(sum(p.difference) filter (where p.column_name = 'refunded_money'), 0) as refunded_money,
         coalesce(sum(p.difference) filter (where p.column_name = 'new_customers'), 0) as new_customers,
         coalesce(sum(p.difference) filter (where p.column_name = 'returning_customers'), 0) as returning_customers,
         coalesce(sum(p.difference) filter (where p.column_name = 'guest_orders'), 0) as guest_orders,
         max(p.booked_at) as booked_at
  from bi.period_adjustments p
  where p.figure = 'daily_sales'
  group by p.brand_id, p.brand, p.retailer_id, p.retailer, p.period, p.booked_in, p.currency
) a
cross join lateral (select a.gross_sales - a.discounts - a.returns as net_sales) n
cross join lateral (select n.net_sales, n.net_sales + a.shipping + a.taxes + a.duties + a.fees as total_sales) t;
comment on view bi.sales_adjustments is 'What has changed of the sales of closed months: bi.period_adjustments of daily_sales, one row per closed month, month of booking, retailer and currency.';

-- Of the same names they say the same.
do $$
declare
  v record;
begin
  for v in
    select c.view, c.name, d.about
    from (
      select a.attrelid::regclass as view, a.attname as name from pg_attribute a
      where a.attrelid = any (array['bi.closed_sales', 'bi.sales_adjustments']::regclass[]) and a.attnum > 0
    ) c
    join lateral (
      select col_description(a.attrelid, a.attnum) as about from pg_attribute a
      where a.attrelid = 'bi.daily_sales'::regclass and a.attname = c.name
    ) d on true
  loop
    execute format('comment on column %s.%I is %L', v.view, v.name, v.about);
  end loop;
end $$;
comment on column bi.closed_sales.period is 'first day of the closed month';
comment on column bi.closed_sales.closed_at is 'when the month was closed';
comment on column bi.sales_adjustments.period is 'first day of the closed month whose sales have changed';
comment on column bi.sales_adjustments.booked_in is 'first day of the month in which the change is booked';
comment on column bi.sales_adjustments.booked_at is 'when the latest change was computed';
