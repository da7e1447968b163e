-- Forecasts of net sales. Their rows are estimated by tasks/forecast.ts and merged like those of every rollup.

create table agg.revenue_forecast (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  for_day date not null,
  predicted numeric not null,
  lower numeric not null,
  upper numeric not null,
  confidence numeric not null,
  method text not null,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency, for_day),
  check (lower <= predicted and predicted <= upper),
  check (for_day >= day)
);
comment on table agg.revenue_forecast is 'net sales that are expected of a retailer; day is the day on which that was forecast';
comment on column agg.revenue_forecast.day is 'the brand-local day on which it was made: it knows the sales of the days before';
comment on column agg.revenue_forecast.for_day is 'the day that it is about';

create table agg.forecast_quality (
  brand_id uuid not null,
  retailer_id uuid not null,
  day date not null,
  currency text not null,
  state text not null check (state in ('forecast', 'silent')),
  cause text,
  method text,
  history_days integer not null,
  origins integer not null,
  error numeric,
  naive_error numeric,
  coverage numeric,
  error_of_last_30_days numeric,
  computed_at timestamptz not null,
  primary key (brand_id, retailer_id, day, currency),
  check ((state = 'silent') = (cause is not null))
);
comment on table agg.forecast_quality is 'how far each forecast can be trusted, and why there is none';

create view bi.revenue_forecast as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.for_day as day, a.day as made_on, a.currency,
       a.predicted, a.lower, a.upper, a.confidence, a.method, q.error_of_last_30_days,
       a.day = l.day as is_latest, a.computed_at
from app.retailers r
join app.brands b on b.id = r.brand_id
-- So that the latest ones are found by the key, of however many are kept.
cross join lateral (
  select max(n.day) as day from agg.forecast_quality n where n.brand_id = r.brand_id and n.retailer_id = r.id
) l
join agg.revenue_forecast a on a.brand_id = r.brand_id and a.retailer_id = r.id
join agg.forecast_quality q on q.brand_id = a.brand_id and q.retailer_id = a.retailer_id and q.day = a.day
 and q.currency = a.currency;

comment on view bi.revenue_forecast is 'Net sales that are expected of a retailer, for the 28 days from the day on which the forecast was made. Earlier forecasts are kept for 400 days. A retailer whose sales cannot be forecast better than by repeating the last week has no rows; bi.forecast_quality says why.';
comment on column bi.revenue_forecast.brand_id is 'id of the brand';
comment on column bi.revenue_forecast.brand is 'short name of the brand';
comment on column bi.revenue_forecast.retailer_id is 'id of the retailer';
comment on column bi.revenue_forecast.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.revenue_forecast.day is 'the day that the forecast is about, in the brand''s time zone';
comment on column bi.revenue_forecast.made_on is 'the day on which it was made: it knows the sales of all days before, and of no other';
comment on column bi.revenue_forecast.currency is 'currency of the amounts; sales in another currency have a forecast of their own';
comment on column bi.revenue_forecast.predicted is 'expected net sales, as bi.daily_sales defines them, rounded once to the smallest unit of the currency';
comment on column bi.revenue_forecast.lower is 'lower bound of the interval that is to hold the net sales of the day with the given confidence; below 0 where returns may exceed sales';
comment on column bi.revenue_forecast.upper is 'upper bound of that interval';
comment on column bi.revenue_forecast.confidence is 'the share of all days that the intervals are to hold: 0.8';
comment on column bi.revenue_forecast.method is 'weekly_smoothing: exponential smoothing with a weekly season; yearly_smoothing: the same, following the course of the same weeks of last year; whichever was better up to the day on which it was made';
comment on column bi.revenue_forecast.error_of_last_30_days is 'how wrong earlier forecasts were about the 30 days before made_on: the sum of absolute differences between what they predicted and what came, divided by the sum of absolute net sales; each forecast of each of these days counts; 4 decimal places; null if there was none, or nothing was sold';
comment on column bi.revenue_forecast.is_latest is 'whether no later forecast of the retailer was made or attempted';
comment on column bi.revenue_forecast.computed_at is 'when this row last changed';

create view bi.forecast_quality as
select a.brand_id, b.slug as brand, a.retailer_id, r.slug as retailer, a.day as made_on, a.currency, a.state, a.cause, a.method,
       a.history_days, a.origins, a.error, a.naive_error, a.coverage, a.error_of_last_30_days,
       a.day = l.day as is_latest, a.computed_at
from app.retailers r
join app.brands b on b.id = r.brand_id
cross join lateral (
  select max(n.day) as day from agg.forecast_quality n where n.brand_id = r.brand_id and n.retailer_id = r.id
) l
join agg.forecast_quality a on a.brand_id = r.brand_id and a.retailer_id = r.id;

comment on view bi.forecast_quality is 'How far the forecast of a retailer and currency can be trusted: its errors and those of a naive forecast in a back-test, or why there is no forecast. The back-test forecasts 28 days from one day of each of the last 26 full weeks, each time from the days before alone.';
comment on column bi.forecast_quality.brand_id is 'id of the brand';
comment on column bi.forecast_quality.brand is 'short name of the brand';
comment on column bi.forecast_quality.retailer_id is 'id of the retailer';
comment on column bi.forecast_quality.retailer is 'short name of the retailer, unique within its brand';
comment on column bi.forecast_quality.made_on is 'the day on which the forecast was made, or attempted';
comment on column bi.forecast_quality.currency is 'currency of the sales; that of the brand''s consolidated figures for a retailer without sales';
comment on column bi.forecast_quality.state is 'forecast: bi.revenue_forecast has rows; silent: it has none';
comment on column bi.forecast_quality.cause is 'why it is silent: no_sales (none in the last three years), dormant (none in the last 28 days), short_history (less than 105 days since the first sale), naive_is_better (error is not below naive_error)';
comment on column bi.forecast_quality.method is 'as in bi.revenue_forecast; null if nothing was tried';
comment on column bi.forecast_quality.history_days is 'days that the forecast was made from: since the first sale, at most three years';
comment on column bi.forecast_quality.origins is 'days from which the back-test forecasts, a week apart';
comment on column bi.forecast_quality.error is 'error of the method in the back-test: the sum of absolute differences between predicted and actual net sales of a day, divided by the sum of absolute net sales; 4 decimal places';
comment on column bi.forecast_quality.naive_error is 'the same for the naive forecast, which repeats the last seven days: same weekday last week';
comment on column bi.forecast_quality.coverage is 'the share of days of the back-test whose net sales lay within the interval, which knew only the days before; 0.8 is aimed at; 4 decimal places';
comment on column bi.forecast_quality.error_of_last_30_days is 'as in bi.revenue_forecast';
comment on column bi.forecast_quality.is_latest is 'whether no later forecast of the retailer was made or attempted';
comment on column bi.forecast_quality.computed_at is 'when this row last changed';
