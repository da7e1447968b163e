-- What drills of snapshots have shown, as a series, and alerts where a promise of snapshots is broken.

alter table ops.alerts drop constraint alerts_kind_check;
alter table ops.alerts add constraint alerts_kind_check
  check (kind in ('night', 'breaker', 'mail', 'privacy', 'webhooks', 'restatement', 'figures', 'snapshots'));
comment on column ops.alerts.kind is 'night: its figures are not final by the deadline; breaker: a provider keeps refusing a connection; mail: of a letter nobody can say whether it was sent; privacy: a request of a person is due soon; webhooks: deliveries of a connection are not followed, loaded or forwarded for an hour; restatement: net sales of a final day changed by more than the brand allows; figures: sums of figures do not add up; snapshots: none was made in time, none was proved in time, one is damaged, or the last drill failed';

create view bi.snapshot_drills as
select r.brand_id, coalesce(b.slug, s.brand_slug) as brand, r.snapshot_id as snapshot, r.level, r.started_at, r.finished_at,
       r.outcome, r.error_code, (r.tally ->> 'recovery_seconds')::numeric as recovery_seconds, p.recovery_point,
       extract(epoch from r.finished_at - p.recovery_point)::bigint as recovery_point_seconds
from ops.snapshot_runs r
left join app.brands b on b.id = r.brand_id
left join ops.snapshots s on s.brand_id = r.brand_id and s.id = r.snapshot_id
cross join lateral (
  select max((o.tally ->> 'snapshot_at')::timestamptz) as recovery_point
  from ops.snapshot_runs o
  where o.brand_id = r.brand_id and o.kind = 'verify' and o.level >= 3 and o.outcome = 'succeeded' and o.finished_at <= r.finished_at
) p
where r.kind = 'verify' and r.level >= 3 and r.finished_at is not null;
comment on view bi.snapshot_drills is 'restores that were tried where nobody sees them, nightly and by hand: how long each took, and how old the newest state was that had proved to restore. Kept as long as runs of jobs';
comment on column bi.snapshot_drills.brand_id is 'id of the brand';
comment on column bi.snapshot_drills.brand is 'slug of the brand; of one that is gone, as it was';
comment on column bi.snapshot_drills.snapshot is 'id of the snapshot';
comment on column bi.snapshot_drills.level is 'what was tried: 3 restored, 4 its figures computed again, 5 on another version of PostgreSQL';
comment on column bi.snapshot_drills.started_at is 'when the drill began';
comment on column bi.snapshot_drills.finished_at is 'when it ended';
comment on column bi.snapshot_drills.outcome is 'succeeded, failed, or broken_off';
comment on column bi.snapshot_drills.error_code is 'why it failed: docs/errors.md';
comment on column bi.snapshot_drills.recovery_seconds is 'how long the restore took; null if it did not come that far';
comment on column bi.snapshot_drills.recovery_point is 'instant of the newest snapshot that had proved to restore by then; null if none had';
comment on column bi.snapshot_drills.recovery_point_seconds is 'how old that was at the end of the drill';
