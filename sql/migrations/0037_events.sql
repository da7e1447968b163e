-- Events of a brand's own senders, for what no provider knows, and the figures of what was viewed and downloaded.

alter table app.brands add column events_days integer not null default 400 check (events_days between 1 and 3650),
  add column events_from timestamptz;
comment on column app.brands.events_days is 'for how many days events are kept; older ones are refused, and deleted each day';
comment on column app.brands.events_from is 'from here on all events are still there: figures of days that begin earlier stay as they are';

create function fact.first_day_from(p_at timestamptz, p_zone text) returns date
language sql immutable strict parallel safe as $$
  select ((p_at - interval '1 microsecond') at time zone p_zone)::date + 1
$$;
comment on function fact.first_day_from is 'the first day of a zone that begins at or after an instant';

create table raw.events (
  brand_id uuid not null,
  happened_at timestamptz not null,
  id text not null,
  kind text not null,
  retailer_id uuid,
  visitor text,
  experiment text,
  variant text,
  stage text,
  asset text,
  code text,
  country text,
  latitude numeric,
  longitude numeric,
  amount numeric,
  currency text,
  properties jsonb,
  seen_at timestamptz not null default now(),
  primary key (brand_id, happened_at, id)
) partition by range (happened_at);
comment on table raw.events is 'events of senders, each once and never changed; a partition holds a month of UTC and is made when it is needed';
comment on column raw.events.id is 'given by the sender, and stored once: see raw.event_ids';
comment on column raw.events.retailer_id is 'null for the brand itself';
comment on column raw.events.visitor is 'digest of the id of a visitor or device with the key of the brand: see sql/tenants/persons.ts';
comment on column raw.events.properties is 'whatever else the sender says; no figure rests on it';
create index events_of_visitor on raw.events (brand_id, visitor, experiment, happened_at, id) where experiment is not null;

create table raw.event_ids (
  brand_id uuid not null,
  id text not null,
  happened_at timestamptz not null,
  primary key (brand_id, id)
);
comment on table raw.event_ids is 'which events are stored: a unique key of a partitioned table cannot hold across its months';

-- Makes the partitions of some months. Attaching waits for no reader or writer of the others.
create function ops.make_event_months(p_months date[]) returns integer
language plpgsql as $$
declare v_month date; v_name text; v_made integer := 0;
begin
  for v_month in select distinct date_trunc('month', m)::date from unnest(p_months) m order by 1 loop
    v_name := 'events_' || to_char(v_month, 'YYYY_MM');
    continue when to_regclass('raw.' || v_name) is not null;
    perform pg_advisory_xact_lock(hashtextextended('raw.events ' || v_month, 0));
    continue when to_regclass('raw.' || v_name) is not null;
    execute format('create table raw.%I (like raw.events including defaults including constraints)', v_name);
    execute format('comment on table raw.%I is %L', v_name, 'events of ' || to_char(v_month, 'YYYY-MM'));
    execute format('alter table raw.events attach partition raw.%I for values from (%L) to (%L)', v_name,
                   to_char(v_month, 'YYYY-MM-DD') || ' 00:00Z',
                   to_char(v_month + interval '1 month', 'YYYY-MM-DD') || ' 00:00Z');
    v_made := v_made + 1;
  end loop;
  return v_made;
end $$;
comment on function ops.make_event_months is 'makes the partitions of raw.events for the months of these days, and says how many were missing';

create table agg.daily_funnel (
  brand_id uuid not null,
  day date not null,
  owner_id uuid not null,
  stage text not null,
  events bigint not null,
  visitors bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, owner_id, stage)
);
comment on table agg.daily_funnel is 'stages of a purchase by day; owner_id is a retailer, or the brand itself for events of none';

create table agg.daily_assets (
  brand_id uuid not null,
  day date not null,
  owner_id uuid not null,
  asset text not null,
  views bigint not null,
  downloads bigint not null,
  visitors bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, owner_id, asset)
);
comment on table agg.daily_assets is 'views and downloads of assets by day; owner_id is a retailer, or the brand itself for events of none';

insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values ('daily_funnel', 'events', '{events}', false), ('daily_assets', 'events', '{events}', false);

create view bi.daily_funnel as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.day, a.stage, a.events, a.visitors,
       round(a.visitors::numeric / nullif(max(a.visitors) filter (where a.stage = 'page_view')
         over (partition by a.brand_id, a.day, a.owner_id), 0), 4) as conversion_rate,
       a.computed_at
from agg.daily_funnel a
join app.brands b on b.id = a.brand_id
left join app.retailers r on r.brand_id = a.brand_id and r.id = a.owner_id
where r.id is not null or a.owner_id = a.brand_id;

create view bi.daily_assets as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.day, a.asset, a.views, a.downloads, a.visitors,
       a.computed_at
from agg.daily_assets a
join app.brands b on b.id = a.brand_id
left join app.retailers r on r.brand_id = a.brand_id and r.id = a.owner_id
where r.id is not null or a.owner_id = a.brand_id;

comment on view bi.daily_funnel is 'How many got how far, per retailer and day, of the events that senders report. A visitor is counted once per stage and day.';
comment on column bi.daily_funnel.brand_id is 'id of the brand';
comment on column bi.daily_funnel.brand is 'short name of the brand';
comment on column bi.daily_funnel.retailer_id is 'id of the retailer; null for events of the brand itself';
comment on column bi.daily_funnel.retailer is 'short name of the retailer; null as retailer_id';
comment on column bi.daily_funnel.day is 'day in the brand''s time zone';
comment on column bi.daily_funnel.stage is 'page_view, cart_add, or the stage that a conversion names, such as checkout or purchase';
comment on column bi.daily_funnel.events is 'events of the stage';
comment on column bi.daily_funnel.visitors is 'different visitors among them. NOT ADDITIVE over days and retailers: one visitor may be in several';
comment on column bi.daily_funnel.conversion_rate is 'visitors / visitors of the stage page_view of the same retailer and day, 4 decimal places; null without any; above 1 if views are not all reported. NOT ADDITIVE: divide the sums';
comment on column bi.daily_funnel.computed_at is 'when the figures of this row last changed';
comment on view bi.daily_assets is 'Views and downloads of assets (images, manuals, price lists …) per retailer and day, of the events that senders report.';
comment on column bi.daily_assets.brand_id is 'id of the brand';
comment on column bi.daily_assets.brand is 'short name of the brand';
comment on column bi.daily_assets.retailer_id is 'id of the retailer; null for events of the brand itself';
comment on column bi.daily_assets.retailer is 'short name of the retailer; null as retailer_id';
comment on column bi.daily_assets.day is 'day in the brand''s time zone';
comment on column bi.daily_assets.asset is 'the asset, as the sender calls it';
comment on column bi.daily_assets.views is 'page views that name the asset';
comment on column bi.daily_assets.downloads is 'downloads of the asset';
comment on column bi.daily_assets.visitors is 'different visitors among both, of those that are known. NOT ADDITIVE over days, retailers and assets';
comment on column bi.daily_assets.computed_at is 'when the figures of this row last changed';
