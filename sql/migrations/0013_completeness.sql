-- What proves that nothing is missing. A check holds a figure of the provider's own against ours; the newest
-- result of each check counts, and what it said before stays for a while.

alter table ops.completeness rename to completeness_history;
alter index ops.completeness_of_stream rename to completeness_history_of_stream;
alter table ops.completeness_history rename constraint completeness_pkey to completeness_history_pkey;
comment on table ops.completeness_history is
  'earlier results of checks, one each time a result changed, the newest few of each; checked_at is when it was last so';
create index completeness_history_of_check
  on ops.completeness_history (brand_id, connection_id, stream, check_name, id);

create table ops.completeness (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  check_name text not null,
  expected numeric,
  found numeric,
  ok boolean not null,
  cause text,
  checked_at timestamptz not null,
  result_since timestamptz not null,
  ok_at timestamptz,
  primary key (brand_id, connection_id, stream, check_name)
);
comment on table ops.completeness is 'the newest result of each check of a stream against what the provider says';
comment on column ops.completeness.expected is 'what the provider says';
comment on column ops.completeness.found is 'what is stored';
comment on column ops.completeness.result_since is 'since when it passes, or fails by the same difference';
comment on column ops.completeness.ok_at is 'when it passed last';

insert into ops.completeness
select distinct on (brand_id, connection_id, stream, check_name)
       brand_id, connection_id, stream, check_name, expected, found, ok, cause, checked_at, checked_at,
       case when ok then checked_at end
from ops.completeness_history
order by brand_id, connection_id, stream, check_name, id desc;
delete from ops.completeness_history h using ops.completeness c
where (c.brand_id, c.connection_id, c.stream, c.check_name, c.checked_at)
    = (h.brand_id, h.connection_id, h.stream, h.check_name, h.checked_at);

alter table ops.positions add column complete_to timestamptz, add column reconciled_at timestamptz;
comment on column ops.positions.complete_to is
  'every change up to here was stored when the stream last ended whole; null where that never was, or where it tells no instant';
comment on column ops.positions.reconciled_at is
  'when what is stored of the last weeks was last held against a fresh list of the provider''s';
update ops.positions set complete_to = (position ->> 'changesTo')::timestamptz where state = 'ok';

alter table app.connections add column account_asked_at timestamptz;
comment on column app.connections.account_asked_at is
  'when the provider was asked whose key this is; null after a new key or address, so that it is asked again';

-- The sum of the ledger is taken at each sync: it comes out of the index alone, however large the payloads are.
drop index raw.stripe_balance_transactions_by_time;
create index stripe_balance_transactions_by_time
  on raw.stripe_balance_transactions (brand_id, connection_id, created_at)
  include (balance_type, currency, net, deleted_at);
