-- Months in which a customer is now something else than before. Cohorts are of months.
select distinct month as day, why from changes
