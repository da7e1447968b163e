/** What a night tells: whether the day is final, what is late and why, and its figures beside those of other days. */
import type { Reader } from '../db/reader.ts';
import { type RestatedSince, restatedSinceNight } from '../restatements/list.ts';
import type { NightKey } from './nights.ts';

export type SourceVerdict = { source: string; state: string; cause: string | null; as_of: Date | null };

export type SalesOfDay = {
  retailer: string;
  currency: string;
  orders: number;
  net_sales: string;
  /** The same weekday a week before. */
  net_sales_week_before: string;
  /** The lowest and highest of the 28 days before. */
  band_low: string;
  band_high: string;
  is_outside_band: boolean;
};

export type ConnectionOfNight = {
  connection: string;
  provider: string;
  state: string;
  cause: string | null;
  note: string | null;
};

export type Digest = {
  brand: string;
  time_zone: string;
  day: string;
  is_final: boolean;
  begun_at: Date;
  deadline_at: Date;
  judged_at: Date;
  sources: SourceVerdict[];
  sales: SalesOfDay[];
  connections: ConnectionOfNight[];
  /** What has changed of final days. */
  restatements: RestatedSince;
};

type NightOfDigest = Pick<Digest, 'brand' | 'time_zone' | 'day' | 'begun_at' | 'deadline_at'> & {
  said: RestatedSince | null;
};

export async function readDigest(db: Reader, key: NightKey, now: Date): Promise<Digest> {
  const values = [key.brandId, key.day];
  const { rows: nights } = await db.query<NightOfDigest>(NIGHT, values);
  const [night] = nights;
  if (night === undefined) throw new RangeError(`There is no night of ${key.day} of brand ${key.brandId}.`);
  const { rows: sources } = await db.query<SourceVerdict>(SOURCES, values);
  const { rows: sales } = await db.query<SalesOfDay>(SALES, values);
  const { rows: connections } = await db.query<ConnectionOfNight>(CONNECTIONS, values);
  // Said at the first verdict: later ones repeat it.
  const restatements = night.said ?? (await restatedSinceNight(db, key.brandId, key.day));
  const is_final = sources.every(({ state }) => isDone(state));
  const { said: _, ...about } = night;
  return { ...about, is_final, judged_at: now, sources, sales, connections, restatements };
}

/** What settles moves by its nature for days: nothing that a night could wait for. */
export function isDone(state: string): boolean {
  return state === 'final' || state === 'settling';
}

const NIGHT = `
  select b.slug as brand, b.time_zone, n.day, n.begun_at, n.deadline_at, n.digest -> 'restatements' as said
  from ops.nights n join app.brands b on b.id = n.brand_id where n.brand_id = $1 and n.day = $2`;

// Of figures that begin later, or never had a row, the day has no line: then it is proven by the line of yesterday,
// which says whether everything was read past its end.
const SOURCES = `
  select distinct on (c.source) c.source, c.state, c.cause, c.as_of
  from app.brands b
  join bi.completeness c on c.brand_id = b.id and c.day in ($2::date, (now() at time zone b.time_zone)::date - 1)
  where b.id = $1
  order by c.source, c.day`;

// A day without a row had no sales. Rows of the 28 days before are few, and found by the key.
const SALES = `
  with wanted as (
    select r.id as retailer_id, r.slug as retailer, s.currency
    from app.retailers r
    cross join lateral (
      select distinct s.currency from agg.daily_sales s
      where s.brand_id = r.brand_id and s.retailer_id = r.id and s.day between $2::date - 28 and $2::date) s
    where r.brand_id = $1
  ), figures as (
    select w.*, d.day::date as day, coalesce(s.orders, 0) as orders, coalesce(s.net_sales, 0) as net_sales
    from wanted w
    cross join lateral generate_series(($2::date - 28)::timestamp, $2::timestamp, interval '1 day') as d (day)
    left join lateral (
      select s.orders, s.gross_sales - s.discounts - s.returns as net_sales from agg.daily_sales s
      where s.brand_id = $1 and s.retailer_id = w.retailer_id and s.day = d.day::date and s.currency = w.currency
    ) s on true
  )
  select retailer, currency, max(orders) filter (where day = $2::date) as orders,
         max(net_sales) filter (where day = $2::date) as net_sales,
         max(net_sales) filter (where day = $2::date - 7) as net_sales_week_before,
         min(net_sales) filter (where day < $2::date) as band_low, max(net_sales) filter (where day < $2::date) as band_high,
         max(net_sales) filter (where day = $2::date) not between
           min(net_sales) filter (where day < $2::date) and max(net_sales) filter (where day < $2::date) as is_outside_band
  from figures
  group by retailer, currency order by retailer, currency`;

const CONNECTIONS = `
  select c.name as connection, c.provider, w.state, w.cause, (
           select nj.note from ops.night_jobs nj
           where nj.brand_id = $1 and nj.day = $2 and nj.connection_id = c.id and nj.note is not null
           order by nj.position limit 1) as note
  from app.connections c
  cross join lateral (
    select s.state, s.error as cause from bi.sync_status s
    where s.brand_id = c.brand_id and s.connection_id = c.id
    order by array_position('{held,failing,partial,never,late,ok}', s.state), s.stream limit 1) w
  where c.brand_id = $1 and c.removing_at is null
  order by c.name`;
