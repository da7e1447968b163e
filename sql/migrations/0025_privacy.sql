-- Persons that a brand was told to forget. What is stored of them is redacted, and stays so: the loader redacts what comes
-- of them later, before it compares it with what is stored.

alter table app.brands add column has_erased boolean not null default false;
comment on column app.brands.has_erased is 'whether a person of it was erased; changed only under for update, so that no load misses it';

create table ops.erased_identifiers (
  brand_id uuid not null references app.brands (id),
  identifier text not null check (length(identifier) between 1 and 32),
  connection_id uuid,
  pseudonym text not null check (length(pseudonym) <= 40),
  erased_at timestamptz not null default now(),
  primary key (brand_id, identifier),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
create index erased_identifiers_of_connection on ops.erased_identifiers (brand_id, connection_id) where connection_id is not null;
comment on table ops.erased_identifiers is 'persons that are erased, and single objects of such: what comes of them is redacted as it is loaded';
comment on column ops.erased_identifiers.identifier is 'digest of an id of the provider or of an address, keyed by app.brands.person_secret';
comment on column ops.erased_identifiers.connection_id is 'whose id it is; null for an address';
comment on column ops.erased_identifiers.pseudonym is 'a random text that takes the place of the id, so that counts of persons stay what they are';

-- A request may also come from an operator, and be of a person whom no single connection knows.
alter table ops.privacy_requests drop constraint privacy_requests_pkey;
alter table ops.privacy_requests alter column connection_id drop not null;
alter table ops.privacy_requests add primary key (brand_id, id);
alter table ops.privacy_requests add foreign key (brand_id) references app.brands (id);
alter table ops.privacy_requests add column source text not null default 'provider' check (source in ('provider', 'operator'));
alter table ops.privacy_requests add column person bytea;
alter table ops.privacy_requests add column person_key_id text;
alter table ops.privacy_requests add column progress jsonb;
alter table ops.privacy_requests add column proof jsonb;
alter table ops.privacy_requests add check ((person is null) = (person_key_id is null));
create index privacy_requests_of_connection on ops.privacy_requests (brand_id, connection_id);
comment on table ops.privacy_requests is 'requests to export or to erase a person, or all of a closed account; kept with their proof, when nothing of the person is left';
comment on column ops.privacy_requests.connection_id is 'the account whose ids it names; null for a person known by an address alone, and once the account is purged';
comment on column ops.privacy_requests.subject is 'whom it concerns, by ids of the provider: no name and no address; empty once the person is erased';
comment on column ops.privacy_requests.source is 'who asked: a provider, by a webhook, or an operator';
comment on column ops.privacy_requests.person is 'what names the person, sealed; null once the request is done';
comment on column ops.privacy_requests.progress is 'where an erasure goes on, and what it has done so far';
comment on column ops.privacy_requests.proof is 'of an erasure: the tables that were searched at its end, with their rows, and what was found';
comment on column ops.privacy_requests.due_at is 'until when it must be done';
