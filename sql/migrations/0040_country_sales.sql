update ops.rollups set changes_with = '{order_days}' where rollup = 'daily_country_sales';
