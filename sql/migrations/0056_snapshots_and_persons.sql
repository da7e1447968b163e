-- Snapshots hold persons that are erased later: until they expire, which a rule of their brand says at the latest, it is known
-- whom to erase from what is restored of them.

create table ops.erased_persons (
  brand_id uuid not null,
  request bigint not null,
  known_to uuid,
  person bytea not null,
  person_key_id text not null,
  erased_at timestamptz not null default now(),
  primary key (brand_id, request),
  foreign key (brand_id, request) references ops.privacy_requests (brand_id, id) on delete cascade
);
comment on table ops.erased_persons is 'what erased persons were known by, as long as a snapshot from before their erasure is kept; in no snapshot';
comment on column ops.erased_persons.known_to is 'the connection whose ids it names, there or removed; null for a person known by an address alone';
comment on column ops.erased_persons.person is 'what names the person, sealed, with the objects that named it in a text';
