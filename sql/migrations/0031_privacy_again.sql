-- Who is erased stays erased when a connection is removed, and added again for the same account: its identifiers stay with
-- the brand, and the new connection gets the id of the old one, by which they were made.

alter table ops.erased_identifiers drop constraint erased_identifiers_brand_id_connection_id_fkey;
drop index ops.erased_identifiers_of_connection;
alter table ops.erased_identifiers rename column connection_id to known_to;
comment on column ops.erased_identifiers.known_to is 'the connection whose id it is, there or removed; null for an address';
create index erased_identifiers_known_to on ops.erased_identifiers (brand_id, known_to);

create table ops.erased_accounts (
  brand_id uuid not null references app.brands (id),
  provider text not null,
  account text not null check (length(account) <= 255),
  former_id uuid not null,
  primary key (brand_id, provider, account)
);
comment on table ops.erased_accounts is 'accounts whose connection was removed, and of which persons are erased';
comment on column ops.erased_accounts.account is 'its name at the provider';
comment on column ops.erased_accounts.former_id is 'the id of the connection, which it gets again if it is added again';
