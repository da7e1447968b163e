-- How many rows a closing froze, so that rows which are lost afterwards are not taken for a change of figures.

create table ops.closed_counts (
  brand_id uuid not null,
  closing_id bigint not null,
  rollup text not null,
  retailer_id uuid,
  rows bigint not null,
  unique nulls not distinct (brand_id, closing_id, rollup, retailer_id)
);
comment on table ops.closed_counts is 'how many rows of ops.closed_figures a closing froze; those of a retailer go with it, and before its rows';

insert into ops.closed_counts (brand_id, closing_id, rollup, retailer_id, rows)
select brand_id, closing_id, rollup, retailer_id, count(*) from ops.closed_figures group by 1, 2, 3, 4;
