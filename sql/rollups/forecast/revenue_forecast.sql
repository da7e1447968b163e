-- $8: the forecasts of each day on which one was made.
select w.retailer_id, w.day, f.currency, w.day + f.days_ahead as for_day,
       trim_scale(f.predicted) as predicted, trim_scale(f.lower) as lower, trim_scale(f.upper) as upper, f.confidence, f.method
from wanted w
join jsonb_to_recordset($8::jsonb) as f (
  day date, currency text, days_ahead integer, predicted numeric, lower numeric, upper numeric, confidence numeric,
  method text
) on f.day = w.day
