-- Which files are read next follows from when each was proved last, and not from which nights a drill has run.

alter table ops.snapshot_parts add column proved_at timestamptz;
comment on column ops.snapshot_parts.proved_at is 'when the file was last read as a part of this snapshot, opened and found to be the rows that were written; the last proof of a file is the latest of all snapshots that have it';

update ops.snapshot_parts p set proved_at = s.verified_at
from ops.snapshots s
where s.brand_id = p.brand_id and s.id = p.snapshot_id and s.verified_level >= 2 and p.damaged_at is null;
