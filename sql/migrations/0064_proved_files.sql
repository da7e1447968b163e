-- Which files are read next follows from when each was proved last, and not from which nights a drill has run.
-- Stored ones count as never proved, and are read in turn within a quarter: no row is rewritten here.

alter table ops.snapshot_parts add column proved_at timestamptz;
comment on column ops.snapshot_parts.proved_at is 'when the file was last read as a part of this snapshot, opened and found to be the rows that were written; the last proof of a file is the latest of all snapshots that have it';
