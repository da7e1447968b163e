-- Deliveries are deleted brand by brand, oldest first. Those that are still to be loaded stay, however many and old they are.

drop index ops.deliveries_by_age;
create index deliveries_by_age on ops.webhook_deliveries (brand_id, received_at)
  where rows_of is null or loaded_at is not null;
