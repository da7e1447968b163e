-- A secret that came with a subscription goes with it.

alter table app.webhook_secrets add column subscription_id text check (length(subscription_id) between 1 and 255);
comment on column app.webhook_secrets.subscription_id is 'the subscription at the provider whose deliveries it verifies; null for one that a person stored';
