-- What is found to be damaged is not used again by the next snapshot, also where it cannot look for itself.

alter table ops.snapshot_parts add column damaged_at timestamptz;
comment on column ops.snapshot_parts.damaged_at is 'since when the file is known to be missing, cut, exchanged or changed; the next snapshot stores these rows again';
