-- A person is told when figures that were final move too far, and when sums of figures do not add up.

alter table app.brands add column restatement_percent numeric check (restatement_percent > 0);
comment on column app.brands.restatement_percent is 'an alert is raised if net sales of a final day change by so many percent within 24 hours; null: never';

alter table ops.alerts drop constraint alerts_kind_check;
alter table ops.alerts add constraint alerts_kind_check
  check (kind in ('night', 'breaker', 'mail', 'privacy', 'webhooks', 'restatement', 'figures'));
comment on column ops.alerts.kind is 'night: its figures are not final by the deadline; breaker: a provider keeps refusing a connection; mail: of a letter nobody can say whether it was sent; privacy: a request of a person is due soon; webhooks: deliveries of a connection are not followed, loaded or forwarded for an hour; restatement: net sales of a final day changed by more than the brand allows; figures: sums of figures do not add up';
