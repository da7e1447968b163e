-- bi.daily_sales_as_of answers for 365 days from the log of restatements, so no brand keeps it for less.

update ops.retention_rules set least = 365 where rule = 'restatements';
update app.retention set kept = 365 where rule = 'restatements' and kept < 365;
