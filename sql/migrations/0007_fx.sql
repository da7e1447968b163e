-- Exchange rates: what a person should look at, what is known of the feeds, and sums in one currency.

create table ops.fx_feeds (
  url text primary key,
  etag text,
  last_modified text,
  rates bigint not null,
  changed_at timestamptz not null,
  checked_at timestamptz not null
);
comment on table ops.fx_feeds is
  'what the ECB said of each feed when it was last read, so that it need not send it again';
comment on column ops.fx_feeds.rates is
  'how many rates were stored then; with fewer now, the feed is read again whatever it says';

create table ops.fx_changes (
  id bigint generated always as identity primary key,
  currencies text[] not null,
  from_day date not null,
  to_day date not null,
  noted_at timestamptz not null,
  passed_to uuid,
  passed_at timestamptz
);
comment on table ops.fx_changes is 'each change of exchange rates, with the days whose figures it may move; they commit in the order of their ids';
comment on column ops.fx_changes.passed_to is 'each brand with an id up to this one has a job that compares its rows with the rates; null before the first one and after the last one';
comment on column ops.fx_changes.passed_at is 'when the last brand had its job, of this change or of a newer one';

create table ops.fx_noticed (
  brand_id uuid not null,
  retailer_id uuid,
  change_id bigint not null,
  unique nulls not distinct (brand_id, retailer_id)
);
comment on column ops.fx_noticed.retailer_id is 'whose figures; null for the brand''s own';
comment on table ops.fx_noticed is 'up to which change of exchange rates the rows of a retailer, or of the brand, were compared with the rates, and its moved days marked';

create view bi.daily_sales_consolidated as
select s.brand_id, s.brand, s.retailer_id, s.retailer, s.day, s.reporting_currency,
       sum(s.orders)::bigint as orders,
       sum(s.gross_sales_reporting) as gross_sales_reporting,
       sum(s.net_sales_reporting) as net_sales_reporting,
       sum(s.total_sales_reporting) as total_sales_reporting,
       count(*) filter (where s.fx_rate is null) = 0 as is_complete,
       coalesce(array_agg(s.currency order by s.currency) filter (where s.fx_rate is null), '{}')
         as unconverted_currencies,
       count(*) filter (where s.fx_rate is null) as unconverted_rows,
       min(s.fx_day) as oldest_fx_day,
       max(s.computed_at) as computed_at
from bi.daily_sales s
group by s.brand_id, s.brand, s.retailer_id, s.retailer, s.day, s.reporting_currency;

comment on view bi.daily_sales_consolidated is 'Sales per retailer and day over all currencies, in the brand''s reporting currency: sums of bi.daily_sales. If a currency of the day has no rate, the row is flagged and sums up the other currencies (Source: ECB statistics).';
comment on column bi.daily_sales_consolidated.brand_id is 'id of the brand';
comment on column bi.daily_sales_consolidated.brand is 'short name of the brand';
comment on column bi.daily_sales_consolidated.retailer_id is 'id of the retailer';
comment on column bi.daily_sales_consolidated.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.daily_sales_consolidated.day is 'day in the brand''s time zone, as in bi.daily_sales; amounts are converted at the rate of this day';
comment on column bi.daily_sales_consolidated.reporting_currency is 'currency of every amount in this row';
comment on column bi.daily_sales_consolidated.orders is 'counted orders in all currencies, including those without a rate';
comment on column bi.daily_sales_consolidated.gross_sales_reporting is 'sum of gross_sales_reporting over the currencies with a rate, each rounded once; null if none has one (Source: ECB statistics)';
comment on column bi.daily_sales_consolidated.net_sales_reporting is 'sum of net_sales_reporting, in the same way';
comment on column bi.daily_sales_consolidated.total_sales_reporting is 'sum of total_sales_reporting, in the same way';
comment on column bi.daily_sales_consolidated.is_complete is 'true if the sums include every currency of the day';
comment on column bi.daily_sales_consolidated.unconverted_currencies is 'currencies without a rate, which the sums leave out; bi.daily_sales has their amounts and the cause';
comment on column bi.daily_sales_consolidated.unconverted_rows is 'number of rows of bi.daily_sales that the sums leave out';
comment on column bi.daily_sales_consolidated.oldest_fx_day is 'oldest day of publication among the rates used';
comment on column bi.daily_sales_consolidated.computed_at is 'when a figure of this row last changed';
