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
  insert into ops.streams (stream, provider, late_after, feeds, rows_in, dated_by)
  values ('acorn.campaigns', 'acorn', '1 day', '{}', null, null),
         ('acorn.opens', 'acorn', '1 day', '{emails}', 'raw.acorn_opens', 'opened_at'),
         ('acorn.spend', 'acorn', '1 day', '{spend}', 'raw.acorn_spend', 'day'),
         ('acorn.views', 'acorn', '1 day', '{social}', 'raw.acorn_views', 'read_at')`;

export async function migrateAcorn(db: Db): Promise<void> {
  await db.query(MIGRATION);
}
