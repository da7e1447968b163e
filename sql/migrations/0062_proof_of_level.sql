-- A proof stays until damage is found, whatever is verified later.
comment on column ops.snapshots.verified_level is 'highest level at which it was found as it should be: 0 files present, 1 hashes of the files, 2 decrypted and parsed, 3 restored, 4 recomputed, 5 restored on another version; null until the first, and once damage was found';
comment on column ops.snapshots.verified_at is 'when it was last found so at that level';
comment on column bi.snapshots.verified_level is 'highest level at which it was found as it should be: 0 present, 1 hashes, 2 parsed, 3 restored, 4 recomputed, 5 restored on another version';
comment on column bi.snapshots.verified_at is 'when it was last found so at that level';
