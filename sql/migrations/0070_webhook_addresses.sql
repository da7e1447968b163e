-- Providers drop subscriptions, or switch them off: what Nightshift added is looked at each day, at the address that it was added for.

create table ops.webhook_addresses (
  brand_id uuid not null,
  connection_id uuid not null,
  base_url text not null check (length(base_url) <= 2000),
  alert_id bigint,
  primary key (brand_id, connection_id),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table ops.webhook_addresses is 'connections whose subscriptions Nightshift added, until it removes them: a daily job repairs those, and no others';
comment on column ops.webhook_addresses.base_url is 'where the provider reaches the web server';
comment on column ops.webhook_addresses.alert_id is 'the alert that says that they cannot be repaired';
