/**
 * Stores exchange rates as they were published. A rate is *new* if none was stored for its currency and day, *changed*
 * if another was, and *withdrawn* if the source now says that there is none.
 * The rates, the audit of what changed, and the note by which brands find the days that it moves commit
 * together. Unchanged rates are not rewritten (Source: ECB statistics).
 */

import type { Tx } from '../db/pool.ts';
import { currentAccount } from '../tenants/audit.ts';
import { noteChange, type Reach } from './changes.ts';

export type DayOfRates = {
  day: string;
  /** Decimal text by currency; null where the source says that there is none. */
  rates: ReadonlyMap<string, string | null>;
  /** Whether a currency that other days have and this one lacks was not published on this day. */
  isWhole: boolean;
  /** Why a person should look at these rates. */
  doubts: readonly string[];
};

export type NewRates = {
  days: Iterable<DayOfRates>;
  /** Stored with each rate. */
  source: string;
  now: Date;
  /** Who stores them; defaults to the account that the command runs as. */
  actor?: string;
};

export type RatesKept = {
  added: number;
  changed: number;
  withdrawn: number;
  unchanged: number;
  /** The days and currencies that it may move; null if nothing has changed. */
  reach: Reach | null;
  /** New and changed rates that a person should check, such as 'ISK 2008-10-08: jump'. */
  doubtful: string[];
};

/** A rate that differs by more than this from its last publication is doubtful. */
const JUMP = '0.2';
/** The age limit of a rate; an older publication is not used to measure a jump either. */
export const RATE_DAYS_MAX = 10;
/** A day with fewer currencies than this, or without these two, is doubtful. */
const CURRENCIES_MIN = 25;
const CURRENCIES_EXPECTED = ['USD', 'GBP'];
const BATCH_ROWS_MAX = 20_000;
const DOUBTFUL_MAX = 10_000;
/** Fewer new rows than this do not need new statistics. */
const ROWS_WORTH_STATISTICS = 10_000;

/**
 * Needs a transaction of its own, which ends with queueing the job that passes the change on. Only another store waits
 * for it.
 */
export async function storeRates(tx: Tx, rates: NewRates): Promise<RatesKept> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('exchange rates', 0))");
  await stage(tx, rates);
  const counts = await compare(tx);
  if (counts.added + counts.changed + counts.withdrawn === 0) return { ...counts, reach: null, doubtful: [] };
  await tx.query(APPLY_REMOVALS);
  await tx.query(APPLY_ADDITIONS, [rates.source, rates.now]);
  if (counts.added >= ROWS_WORTH_STATISTICS) await tx.query('analyze app.fx_rates');
  await tx.query(FLAG_THIN_DAYS, [CURRENCIES_MIN, CURRENCIES_EXPECTED]);
  await tx.query(FLAG_JUMPS, [JUMP, RATE_DAYS_MAX]);
  await tx.query(AUDIT, [rates.actor ?? currentAccount(), rates.source]);
  const { rows: doubtful } = await tx.query<{ what: string }>(DOUBTFUL, [DOUBTFUL_MAX]);
  const reach = await reachOf(tx);
  await noteChange(tx, reach, rates.now);
  return { ...counts, reach, doubtful: doubtful.map(({ what }) => what) };
}

// Temporary tables of the transaction; a second store in it starts with empty ones.
const STAGING = `
  drop table if exists pg_temp.fx_given, pg_temp.fx_whole_days, pg_temp.fx_changes;
  create temp table fx_given (
    currency text, day date, units_per_euro numeric, doubts text[], primary key (currency, day)) on commit drop;
  create temp table fx_whole_days (day date primary key) on commit drop`;

async function stage(tx: Tx, { days }: NewRates): Promise<void> {
  await tx.query(STAGING);
  let rows: unknown[] = [];
  const whole: string[] = [];
  const flush = async () => {
    await tx.query(
      `insert into pg_temp.fx_given
       select g.currency, g.day::date, trim_scale(g.rate::numeric), g.doubts
       from jsonb_to_recordset($1::jsonb) as g (currency text, day text, rate text, doubts text[])`,
      [JSON.stringify(rows)],
    );
    rows = [];
  };
  for (const { day, rates, isWhole, doubts } of days) {
    if (isWhole) whole.push(day);
    for (const [currency, rate] of rates) rows.push({ currency, day, rate, doubts });
    if (rows.length >= BATCH_ROWS_MAX) await flush();
  }
  await flush();
  await tx.query('insert into pg_temp.fx_whole_days select unnest($1::date[])', [whole]);
  await tx.query('analyze pg_temp.fx_given');
}

type Counts = Pick<RatesKept, 'added' | 'changed' | 'withdrawn' | 'unchanged'>;

/** Writes the differences from the stored rates to fx_changes. */
async function compare(tx: Tx): Promise<Counts> {
  await tx.query(`
    create temp table fx_changes on commit drop as
    select coalesce(g.currency, r.currency) as currency, coalesce(g.day, r.day) as day,
           r.units_per_euro as old, g.units_per_euro as new, r.source as old_source, g.doubts,
           case when r.currency is null then 'added'
                when g.units_per_euro is null then 'withdrawn' else 'changed' end as kind
    from pg_temp.fx_given g
    full join app.fx_rates r on r.currency = g.currency and r.day = g.day
    where g.units_per_euro is distinct from r.units_per_euro
      and (g.currency is not null or r.day in (select day from pg_temp.fx_whole_days)
        and r.currency in (select currency from pg_temp.fx_given))`);
  const { rows } = await tx.query<Counts>(`
    select count(*) filter (where kind = 'added') as added, count(*) filter (where kind = 'changed') as changed,
           count(*) filter (where kind = 'withdrawn') as withdrawn,
           (select count(units_per_euro) from pg_temp.fx_given)
             - count(*) filter (where kind <> 'withdrawn') as unchanged
    from pg_temp.fx_changes`);
  const [counts] = rows;
  if (!counts) throw new TypeError('an aggregate gave no row');
  return counts;
}

const APPLY_REMOVALS = `
  delete from app.fx_rates r using pg_temp.fx_changes c
  where c.kind = 'withdrawn' and (r.currency, r.day) = (c.currency, c.day)`;

const APPLY_ADDITIONS = `
  insert into app.fx_rates as r (currency, day, units_per_euro, source, seen_at, doubts)
  select currency, day, new, $1, $2::timestamptz, doubts from pg_temp.fx_changes where kind <> 'withdrawn'
  order by currency, day
  on conflict (currency, day) do update set units_per_euro = excluded.units_per_euro,
    source = excluded.source, seen_at = excluded.seen_at, doubts = excluded.doubts`;

// Both also re-evaluate the neighbours of a change: the rest of its day, and the next publication.
const FLAG_THIN_DAYS = `
  with judged as (
    select day, count(*) < $1::int
             or count(*) filter (where currency = any ($2::text[])) < cardinality($2::text[]) as is_thin
    from app.fx_rates where day in (select day from pg_temp.fx_changes)
    group by day
  )
  update app.fx_rates r
  set doubts = array_remove(r.doubts, 'few_currencies') || case when j.is_thin then array['few_currencies'] else '{}' end
  from judged j
  where r.day = j.day and ('few_currencies' = any (r.doubts)) <> j.is_thin`;

const FLAG_JUMPS = `
  with reach as (
    select currency, min(day) as first_day, max(day) as last_day from pg_temp.fx_changes group by currency
  ), judged as (
    select r.currency, r.day, coalesce(lag(r.day) over w >= r.day - $2::int
             and abs(r.units_per_euro / lag(r.units_per_euro) over w - 1) > $1::numeric, false) as is_jump
    from app.fx_rates r join reach using (currency)
    where r.day between reach.first_day - $2::int and reach.last_day + $2::int
    window w as (partition by r.currency order by r.day)
  )
  update app.fx_rates r
  set doubts = array_remove(r.doubts, 'jump') || case when j.is_jump then array['jump'] else '{}' end
  from judged j join reach using (currency)
  where (r.currency, r.day) = (j.currency, j.day) and r.day >= reach.first_day
    and ('jump' = any (r.doubts)) <> j.is_jump`;

const AUDIT = `
  insert into ops.audit_log (actor, action, target, before, after, details)
  select $1, case kind when 'changed' then 'fx.change' else 'fx.withdraw' end, currency || ' ' || day,
         jsonb_build_object('rate', old::text, 'source', old_source),
         case kind when 'changed' then jsonb_build_object('rate', new::text, 'source', $2::text) end,
         jsonb_build_object('source', $2::text)
  from pg_temp.fx_changes where kind <> 'added' order by day, currency`;

const DOUBTFUL = `
  select r.currency || ' ' || r.day || ': ' || array_to_string(r.doubts, ', ') as what
  from pg_temp.fx_changes c join app.fx_rates r using (currency, day)
  where r.doubts <> '{}' order by r.day desc, r.currency limit $1`;

/** The reach of the changes: a rate is used for at most ten days. */
async function reachOf(tx: Tx): Promise<Reach> {
  const { rows } = await tx.query<Reach>(REACH, [RATE_DAYS_MAX]);
  const [reach] = rows;
  if (!reach) throw new TypeError('an aggregate gave no row');
  return reach;
}

// Where the first publication of a currency has moved, the cause `no_rate` of any later day may have
// become `stale_rate`, or the other way round.
const REACH = `
  select array_agg(distinct c.currency) as currencies, min(c.day) as from,
         case when bool_or(c.kind <> 'changed' and c.day <= coalesce(f.first_day, c.day)) then 'infinity' else max(c.day) + $1::int end as to
  from pg_temp.fx_changes c
  left join (
    select r.currency, min(r.day) as first_day from app.fx_rates r
    where r.currency in (select currency from pg_temp.fx_changes) group by r.currency
  ) f using (currency)`;
