-- How many rows a closing froze, so that rows which are lost afterwards are not taken for a change of figures.

create table ops.closed_counts (
  brand_id uuid not null,
  closing_id bigint not null,
  rollup text not null,
  retailer_id uuid,
  rows bigint not null,
  unique nulls not distinct (brand_id, retailer_id, closing_id, rollup)
);
comment on table ops.closed_counts is 'how many rows of ops.closed_figures a closing froze; those of a retailer go with it, and before its rows';

insert into ops.closed_counts (brand_id, closing_id, rollup, retailer_id, rows)
select brand_id, closing_id, rollup, retailer_id, count(*) from ops.closed_figures group by 1, 2, 3, 4;

alter table ops.period_closings
  add column counted_at timestamptz not null default now(),
  add column lost bigint not null default 0;
alter table ops.period_closings alter column counted_at drop default;
comment on column ops.period_closings.counted_at is 'when its frozen rows were last counted, by its closing or by a night of the brand';
comment on column ops.period_closings.lost is 'of how many figures of owners not all frozen rows were there then; ops.closed_counts says how many there must be';
