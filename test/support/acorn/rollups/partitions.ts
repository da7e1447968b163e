/** Figures of Acorn by each further kind of partition, for the laws of rollups. */
import { composeRollup } from '#sql/rollups/define.ts';

const totals = (rows: string) => `
  cross join lateral (
    select trim_scale(coalesce((
             select sum(s.amount) from (
               select o.amount from raw.acorn_spend o
               where o.brand_id = $1 and o.connection_id = w.connection_id
                 and o.campaign_id >= w.object and o.campaign_id <= w.object order by o.campaign_id) s), 0)) as spend,
           (select count(*) from (
              select from raw.acorn_opens o
              where o.brand_id = $1 and o.connection_id = w.connection_id
                and o.campaign_id >= w.object and o.campaign_id <= w.object order by o.campaign_id) s) as opens
  ) t
  ${rows}
  where t.spend <> 0 or t.opens > 0`;

const campaignsOf = (stored: string) => `
  select c.id as connection_id, o.object
  from app.connections c
  cross join lateral (select campaign_id as object from raw.acorn_spend s where s.brand_id = $1 and s.connection_id = c.id
                      union select campaign_id from raw.acorn_opens s where s.brand_id = $1 and s.connection_id = c.id) o
  where c.brand_id = $1 and exists (select from wanted)
  union
  select connection_id, campaign_id from ${stored} where brand_id = $1 and exists (select from wanted)`;

/** A retailer and day: what was spent on the campaigns that are its own. */
const partSpend = composeRollup({
  name: 'acorn_part_spend',
  reads: ['raw.acorn_spend'],
  writes: 'agg.acorn_part_spend',
  grain: ['brand_id', 'retailer_id', 'day'],
  measures: ['spend'],
  changesWith: ['spend'],
  handsOn: 'changes',
  fresh: `
    select w.retailer_id, w.day, trim_scale(sum(s.amount)) as spend
    from wanted w
    join app.connection_parts p on p.brand_id = $1 and p.retailer_id = w.retailer_id
    join raw.acorn_spend s on s.brand_id = $1 and s.connection_id = p.connection_id and s.campaign_id = p.part
     and s.day = w.day
    group by w.retailer_id, w.day`,
});

/** The brand and a week, of what its retailers have: from their table, with the rate of the week's first day. */
const weeklySpend = composeRollup({
  name: 'acorn_weekly_spend',
  of: 'brand',
  reads: ['agg.acorn_part_spend'],
  writes: 'agg.acorn_weekly_spend',
  grain: ['brand_id', 'day'],
  measures: ['spend', 'retailers', 'currency', 'reporting_currency', 'fx_rate', 'fx_day', 'fx_cause'],
  periods: { kinds: ['week'] },
  changesWith: ['acorn_part_spend', 'fx'],
  keepsRates: true,
  fresh: `
    select s.*, b.reporting_currency, trim_scale(x.fx_rate) as fx_rate, x.fx_day, x.fx_cause
    from (
      select w.day, trim_scale(sum(a.spend)) as spend, count(distinct a.retailer_id) as retailers, 'USD' as currency
      from wanted w
      join agg.acorn_part_spend a on a.brand_id = $1 and a.day >= w.day and a.day < w.next_day
      group by w.day) s
    cross join (select reporting_currency from app.brands where id = $1) b
    cross join lateral fact.exchange_rate('USD', b.reporting_currency, s.day) x`,
});

/** A campaign, of the brand. */
const campaigns = composeRollup({
  name: 'acorn_campaigns',
  of: 'brand',
  object: 'campaign_id',
  reads: ['raw.acorn_spend', 'raw.acorn_opens'],
  writes: 'agg.acorn_campaigns',
  grain: ['brand_id', 'connection_id', 'campaign_id'],
  measures: ['spend', 'opens'],
  changesWith: ['campaigns'],
  fresh: `select w.connection_id, w.object as campaign_id, t.spend, t.opens from spans w ${totals('')}`,
  objects: campaignsOf('agg.acorn_campaigns'),
});

/** A campaign, of the retailer whose own it is. */
const partCampaigns = composeRollup({
  name: 'acorn_part_campaigns',
  object: 'campaign_id',
  reads: ['raw.acorn_spend', 'raw.acorn_opens'],
  writes: 'agg.acorn_part_campaigns',
  grain: ['brand_id', 'retailer_id', 'connection_id', 'campaign_id'],
  measures: ['spend', 'opens'],
  changesWith: ['campaigns'],
  handsOn: 'changes',
  fresh: `
    select w.retailer_id, w.connection_id, w.object as campaign_id, t.spend, t.opens
    from wanted w
    ${totals(`join app.connection_parts p on p.brand_id = $1 and p.connection_id = w.connection_id
      and p.part = w.object and p.retailer_id = w.retailer_id`)}`,
  objects: campaignsOf('agg.acorn_part_campaigns'),
});

/** The same again for the brand, from what its retailers have: an object that is handed on. */
const ownedCampaigns = composeRollup({
  name: 'acorn_owned_campaigns',
  of: 'brand',
  object: 'campaign_id',
  reads: ['agg.acorn_part_campaigns'],
  writes: 'agg.acorn_owned_campaigns',
  grain: ['brand_id', 'connection_id', 'campaign_id'],
  measures: ['spend'],
  changesWith: ['acorn_part_campaigns'],
  fresh: `
    select w.connection_id, w.object as campaign_id, trim_scale(sum(a.spend)) as spend
    from wanted w
    join agg.acorn_part_campaigns a on a.brand_id = $1 and a.connection_id = w.connection_id and a.campaign_id = w.object
    group by w.connection_id, w.object`,
  objects: campaignsOf('agg.acorn_owned_campaigns'),
});

export const acornPartitions = [partSpend, weeklySpend, campaigns, partCampaigns, ownedCampaigns];

const RATE = 'currency text, reporting_currency text, fx_rate numeric, fx_day date, fx_cause text';
const STAMP = 'computed_at timestamptz not null';

export const PARTITION_TABLES = `
  create table agg.acorn_part_spend (brand_id uuid, retailer_id uuid, day date, spend numeric, ${STAMP},
    primary key (brand_id, retailer_id, day));
  create table agg.acorn_weekly_spend (brand_id uuid, day date, spend numeric, retailers bigint, ${RATE}, ${STAMP},
    primary key (brand_id, day));
  create table agg.acorn_campaigns (brand_id uuid, connection_id uuid, campaign_id text, spend numeric, opens bigint,
    ${STAMP}, primary key (brand_id, connection_id, campaign_id));
  create table agg.acorn_part_campaigns (brand_id uuid, retailer_id uuid, connection_id uuid, campaign_id text,
    spend numeric, opens bigint, ${STAMP}, primary key (brand_id, retailer_id, connection_id, campaign_id));
  create table agg.acorn_owned_campaigns (brand_id uuid, connection_id uuid, campaign_id text, spend numeric, ${STAMP},
    primary key (brand_id, connection_id, campaign_id))`;
