-- What providers warn of while all works still: who does not act on it has a fault later.

create table ops.stream_warnings (
  brand_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  warnings text[] not null check (cardinality(warnings) <= 10),
  primary key (brand_id, connection_id, stream),
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)
);
comment on table ops.stream_warnings is 'what the last run of a stream that looked has warned of; a row goes with the first such run that has nothing to say';

alter table ops.alerts drop constraint alerts_kind_check;
alter table ops.alerts add constraint alerts_kind_check
  check (kind in ('night', 'breaker', 'mail', 'privacy', 'webhooks', 'restatement', 'figures', 'snapshots', 'warnings'));
comment on column ops.alerts.kind is 'night: its figures are not final by the deadline; breaker: a provider keeps refusing a connection; mail: of a letter nobody can say whether it was sent; privacy: a request of a person is due soon; webhooks: deliveries of a connection are not followed, loaded or forwarded for an hour, or its subscriptions cannot be repaired; restatement: net sales of a final day changed by more than the brand allows; figures: sums of figures do not add up; snapshots: none was made in time, none was proved in time, one is damaged, or the last drill failed; warnings: the syncs of a connection warn of something';
