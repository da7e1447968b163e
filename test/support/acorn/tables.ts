/** The migration that the streams of Acorn take. */
import type { Db } from '#sql/db/pool.ts';

const OWNER = 'brand_id uuid not null, connection_id uuid not null';
const STAMPS = `payload jsonb, changed_at timestamptz not null, seen_at timestamptz not null, deleted_at timestamptz,
  foreign key (brand_id, connection_id) references app.connections (brand_id, id)`;

const MIGRATION = `
  create table raw.acorn_campaigns (${OWNER}, id text not null, title text not null, ${STAMPS},
    primary key (brand_id, connection_id, id));
  create table raw.acorn_prices (${OWNER}, id text not null, valid_from timestamptz not null, price numeric not null, ${STAMPS},
    primary key (brand_id, connection_id, id, valid_from));
  create table raw.acorn_opens (${OWNER}, id text not null, campaign_id text not null, opened_at timestamptz not null, ${STAMPS},
    primary key (brand_id, connection_id, id));
  create table raw.acorn_spend (${OWNER}, campaign_id text not null, day date not null, amount numeric not null, ${STAMPS},
    primary key (brand_id, connection_id, campaign_id, day));
  create table raw.acorn_views (${OWNER}, id text not null, read_at timestamptz not null, views integer not null, ${STAMPS},
    primary key (brand_id, connection_id, id, read_at));
  comment on table raw.acorn_campaigns is 'campaigns';
  comment on table raw.acorn_prices is 'prices of campaigns, each from an instant on';
  comment on table raw.acorn_opens is 'opened letters, each once';
  comment on table raw.acorn_spend is 'what a campaign cost on a day';
  comment on table raw.acorn_views is 'readings of the views of a campaign, which only add up';
  insert into ops.streams (stream, provider, late_after, feeds, rows_in, dated_by)
  values ('acorn.campaigns', 'acorn', '1 day', '{}', null, null),
         ('acorn.opens', 'acorn', '1 day', '{emails}', 'raw.acorn_opens', 'opened_at'),
         ('acorn.spend', 'acorn', '1 day', '{spend}', 'raw.acorn_spend', 'day'),
         ('acorn.views', 'acorn', '1 day', '{views}', 'raw.acorn_views', 'read_at')`;

export async function migrateAcorn(db: Db): Promise<void> {
  await db.query(MIGRATION);
}

/** The migration that the rollup of its figures takes. */
const FIGURES = `
  create table agg.acorn_daily_spend (
    brand_id uuid not null, day date not null, currency text not null, spend numeric not null, opens bigint not null,
    reporting_currency text not null, fx_rate numeric, fx_day date, fx_cause text, computed_at timestamptz not null,
    primary key (brand_id, day, currency));
  comment on table agg.acorn_daily_spend is 'spend by day and currency, beside opens';
  insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
  values ('acorn_daily_spend', 'spend', '{spend,emails,fx}', true);
  create index acorn_spend_by_day on raw.acorn_spend (brand_id, connection_id, day);
  create index acorn_opens_by_time on raw.acorn_opens (brand_id, connection_id, opened_at);
  create view bi.daily_spend as
  select a.brand_id, b.slug as brand, a.day, a.currency, a.spend, a.opens, a.reporting_currency, a.fx_rate,
         fact.round_to_currency(a.spend * a.fx_rate, a.reporting_currency) as spend_reporting, a.computed_at
  from agg.acorn_daily_spend a
  join app.brands b on b.id = a.brand_id`;

export async function migrateFigures(db: Db): Promise<void> {
  await db.query(FIGURES);
}
