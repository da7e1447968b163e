-- Experiments and scans of codes, and whose signature an event may bear that comes by the web.

create table app.event_keys (
  brand_id uuid not null references app.brands,
  name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  secret bytea not null,
  secret_key_id text not null,
  added_at timestamptz not null default now(),
  primary key (brand_id, name)
);
comment on table app.event_keys is 'sealed secrets with which senders sign the events of a brand, one for each sender';

create table app.event_codes (
  brand_id uuid not null references app.brands,
  code text not null check (length(code) between 1 and 200),
  per_device integer check (per_device between 1 and 1000000),
  latitude numeric check (latitude between -90 and 90),
  longitude numeric check (longitude between -180 and 180),
  radius_km numeric check (radius_km > 0 and radius_km <= 20038),
  primary key (brand_id, code),
  check (num_nulls(latitude, longitude, radius_km) in (0, 3))
);
comment on table app.event_codes is 'what is usual of the scans of a code; * is for all that have no row';
comment on column app.event_codes.per_device is 'more scans of one device on one day are over the limit';
comment on column app.event_codes.radius_km is 'scans further away from the place are outside';

create function fact.distance_km(p_lat numeric, p_lon numeric, p_to_lat numeric, p_to_lon numeric) returns numeric
language sql immutable strict parallel safe as $$
  select round((2 * 6371.0088 * asin(least(1, sqrt(
    power(sind((p_to_lat - p_lat)::float8 / 2), 2)
    + cosd(p_lat::float8) * cosd(p_to_lat::float8) * power(sind((p_to_lon - p_lon)::float8 / 2), 2)))))::numeric, 3)
$$;
comment on function fact.distance_km is 'great-circle distance on a sphere of the mean radius of the Earth';

-- The chance of a value at least so far from 0 under the standard normal distribution. PostgreSQL has the error function of
-- the C library from 16 on; before that, its power series, which converges for every z and is cut where it adds nothing.
do $do$ begin
  if current_setting('server_version_num')::int >= 160000 then
    create function fact.two_sided_p(p_z numeric) returns numeric
    language sql immutable parallel safe as $$ select round(erfc(abs(p_z)::float8 / sqrt(2::float8))::numeric, 6) $$;
  else
    create function fact.two_sided_p(p_z numeric) returns numeric
    language plpgsql immutable strict parallel safe as $$
    declare
      v_z float8 := abs(p_z);
      v_term float8 := v_z;
      v_sum float8 := 0;
    begin
      if v_z > 8 then return 0.000000; end if;
      for k in 1 .. 400 loop
        v_sum := v_sum + v_term;
        v_term := v_term * v_z * v_z / (2 * k + 1);
        exit when v_term < 1e-18;
      end loop;
      return round(greatest(0, 1 - 2 * v_sum * exp(-v_z * v_z / 2) / sqrt(2 * pi()))::numeric, 6);
    end $$;
  end if;
end $do$;
comment on function fact.two_sided_p is 'two-sided p value of a standard normal z, 6 decimal places';

-- Drops an empty month that nobody keeps any more. That locks the whole table until the transaction ends, so it is one month
-- each, and whoever waits behind it waits 200 ms at most: what is in use stays until the next time.
create function ops.drop_event_month(p_now timestamptz) returns boolean
language plpgsql as $$
declare v_name text; v_empty boolean;
begin
  perform set_config('lock_timeout', '200ms', true);
  for v_name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'raw.events'::regclass
      and to_date(substr(c.relname, 8), 'YYYY_MM') + interval '32 days' < p_now - (
        select coalesce(max(events_days), 0) from app.brands) * interval '1 day'
    order by 1
  loop
    execute format('select not exists (select from raw.%I)', v_name) into v_empty;
    continue when not v_empty;
    lock table only raw.events in access exclusive mode;
    execute format('select not exists (select from raw.%I)', v_name) into v_empty;
    if v_empty then execute format('drop table raw.%I', v_name); end if;
    return v_empty;
  end loop;
  return false;
exception when lock_not_available then return false;
end $$;
comment on function ops.drop_event_month is 'drops an empty month of raw.events that is older than any brand keeps events; whether it found one that nobody uses';

create table raw.past_exposures (
  brand_id uuid not null,
  visitor text not null,
  experiment text not null,
  happened_at timestamptz not null,
  primary key (brand_id, visitor, experiment)
);
comment on table raw.past_exposures is 'first exposures that are deleted by their age: their visitors are counted, and are not counted again when they come back';

create table agg.daily_scans (
  brand_id uuid not null,
  day date not null,
  owner_id uuid not null,
  code text not null,
  scans bigint not null,
  devices bigint not null,
  unknown_devices bigint not null,
  over_limit bigint not null,
  outside bigint not null,
  unplaced bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, owner_id, code)
);
comment on table agg.daily_scans is 'scans of codes by day; owner_id is a retailer, or the brand itself for events of none';
create index daily_scans_of_code on agg.daily_scans (brand_id, code, day);

create table agg.daily_ab_tests (
  brand_id uuid not null,
  day date not null,
  experiment text not null,
  variant text not null,
  exposed bigint not null,
  converted bigint not null,
  mixed bigint not null,
  computed_at timestamptz not null,
  primary key (brand_id, day, experiment, variant)
);
comment on table agg.daily_ab_tests is 'visitors of experiments by the day on which each of them was first exposed';

insert into ops.rollups (rollup, figures, changes_with, keeps_rates)
values ('daily_scans', 'events', '{events}', false), ('daily_ab_tests', 'events', '{exposures}', false);

create view bi.daily_scans as
select a.brand_id, b.slug as brand, r.id as retailer_id, r.slug as retailer, a.day, a.code, a.scans, a.devices,
       a.unknown_devices, a.over_limit, a.outside, a.unplaced, a.over_limit > 0 as is_over_limit, a.outside > 0 as is_outside,
       a.computed_at
from agg.daily_scans a
join app.brands b on b.id = a.brand_id
left join app.retailers r on r.brand_id = a.brand_id and r.id = a.owner_id
where r.id is not null or a.owner_id = a.brand_id;

create view bi.ab_tests as
with sums as (
  select brand_id, experiment, variant, min(day) as first_day, max(day) as last_day, sum(exposed)::bigint as exposed,
         sum(converted)::bigint as converted, sum(mixed)::bigint as mixed, max(computed_at) as computed_at,
         row_number() over (partition by brand_id, experiment order by (variant = 'control') desc, variant) = 1 as is_control
  from agg.daily_ab_tests
  group by brand_id, experiment, variant
), compared as (
  select s.*, s.converted::float8 / nullif(s.exposed, 0) as p, c.converted::float8 / nullif(c.exposed, 0) as q,
         c.exposed as control_exposed,
         (s.converted + c.converted)::float8 / nullif(s.exposed + c.exposed, 0) as pooled
  from sums s
  left join sums c on c.brand_id = s.brand_id and c.experiment = s.experiment and c.is_control and not s.is_control
), tested as (
  select c.*, sqrt(p * (1 - p) / nullif(exposed, 0) + q * (1 - q) / nullif(control_exposed, 0)) as error,
         ((p - q) / nullif(sqrt(pooled * (1 - pooled) * (1.0 / nullif(exposed, 0) + 1.0 / nullif(control_exposed, 0))), 0))::numeric as z
  from compared c
)
select t.brand_id, b.slug as brand, t.experiment, t.variant, t.is_control, t.first_day, t.last_day, t.exposed, t.converted,
       t.mixed, round(t.p::numeric, 6) as conversion_rate, round((t.p - t.q)::numeric, 6) as difference,
       round((t.p - t.q - 1.959963984540054 * t.error)::numeric, 6) as difference_low,
       round((t.p - t.q + 1.959963984540054 * t.error)::numeric, 6) as difference_high,
       round(t.z, 4) as z, fact.two_sided_p(t.z) as p_value, t.computed_at
from tested t
join app.brands b on b.id = t.brand_id;

comment on view bi.daily_scans is 'Scans of codes per retailer and day, with what is unusual of them.';
comment on column bi.daily_scans.brand_id is 'id of the brand';
comment on column bi.daily_scans.brand is 'short name of the brand';
comment on column bi.daily_scans.retailer_id is 'id of the retailer; null for events of the brand itself';
comment on column bi.daily_scans.retailer is 'short name of the retailer; null as retailer_id';
comment on column bi.daily_scans.day is 'day in the brand''s time zone';
comment on column bi.daily_scans.code is 'the code, as the sender calls it';
comment on column bi.daily_scans.scans is 'scans of the code';
comment on column bi.daily_scans.devices is 'different devices among them. NOT ADDITIVE over days, retailers and codes';
comment on column bi.daily_scans.unknown_devices is 'scans without a device: no limit applies to them';
comment on column bi.daily_scans.over_limit is 'scans beyond the limit of the code for one device and day, summed up over the devices';
comment on column bi.daily_scans.outside is 'scans further from the place of the code than its radius';
comment on column bi.daily_scans.unplaced is 'scans without coordinates of a code that has a place';
comment on column bi.daily_scans.is_over_limit is 'whether any scan is beyond the limit';
comment on column bi.daily_scans.is_outside is 'whether any scan is outside';
comment on column bi.daily_scans.computed_at is 'when the figures of this row last changed';
comment on view bi.ab_tests is 'Variants of experiments: visitors who saw each, how many of them converted afterwards, and how that compares with the control. A visitor counts once, for the variant of the first exposure; one who saw several is left out of both.';
comment on column bi.ab_tests.brand_id is 'id of the brand';
comment on column bi.ab_tests.brand is 'short name of the brand';
comment on column bi.ab_tests.experiment is 'the experiment, as the sender calls it';
comment on column bi.ab_tests.variant is 'the variant';
comment on column bi.ab_tests.is_control is 'whether the others are compared with it: the variant called control, else the first one by name';
comment on column bi.ab_tests.first_day is 'first day on which a visitor was first exposed, in the brand''s time zone';
comment on column bi.ab_tests.last_day is 'last such day';
comment on column bi.ab_tests.exposed is 'visitors who were exposed to this variant alone';
comment on column bi.ab_tests.converted is 'those of them who converted at or after their first exposure, each once';
comment on column bi.ab_tests.mixed is 'visitors who saw this variant first and another one later: in no other column';
comment on column bi.ab_tests.conversion_rate is 'converted / exposed, 6 decimal places';
comment on column bi.ab_tests.difference is 'conversion_rate less that of the control; null for the control itself';
comment on column bi.ab_tests.difference_low is 'lower end of the 95 % interval of the difference (Wald, unpooled)';
comment on column bi.ab_tests.difference_high is 'upper end of it';
comment on column bi.ab_tests.z is 'difference in standard errors under equal rates (pooled), 4 decimal places';
comment on column bi.ab_tests.p_value is 'chance of a difference at least so large if both rates are equal: two-sided z test, 6 decimal places. It is meant for one look at the end of an experiment';
comment on column bi.ab_tests.computed_at is 'when its figures last changed';
