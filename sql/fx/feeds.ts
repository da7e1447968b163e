/** The state of the exchange rate feeds, and the stored rates. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';

/** The validators of an answer, which make the next request conditional. */
export type FeedValidators = { etag: string | null; lastModified: string | null };

/**
 * The validators for the next request. None if fewer rates are stored than after the feed was last read: then it must
 * be sent again, even if it has not changed.
 */
export async function readValidators(db: Reader, url: string): Promise<FeedValidators | undefined> {
  const { rows } = await db.query<FeedValidators>(
    `select etag, last_modified as "lastModified" from ops.fx_feeds
     where url = $1 and rates <= (select count(*) from app.fx_rates)`,
    [url],
  );
  return rows[0];
}

/** In the transaction that stores the rates of the feed. */
export async function saveValidators(
  tx: Tx,
  url: string,
  { etag, lastModified }: FeedValidators,
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into ops.fx_feeds as f (url, etag, last_modified, rates, changed_at, checked_at)
     select $1, $2, $3, (select count(*) from app.fx_rates), $4::timestamptz, $4::timestamptz
     on conflict (url) do update set etag = excluded.etag, last_modified = excluded.last_modified,
       rates = excluded.rates, changed_at = excluded.changed_at, checked_at = excluded.checked_at`,
    [url, etag, lastModified, now],
  );
}

/** The feed has not changed. */
export async function noteUnchanged(tx: Tx, url: string, now: Date): Promise<void> {
  await tx.query('update ops.fx_feeds set checked_at = $2 where url = $1', [url, now]);
}

/** Every day whose publication is stored: each includes the dollar, while custom rates may be of any day. */
export async function daysWithRates(db: Reader): Promise<Set<string>> {
  const { rows } = await db.query<{ day: string }>("select day from app.fx_rates where currency = 'USD'");
  return new Set(rows.map(({ day }) => day));
}

export type RateOfDay = { fx_rate: string | null; fx_day: string | null; fx_cause: string | null };

/** The rate that every figure uses: units of `to` per unit of `currency`. */
export async function exchangeRate(
  db: Reader,
  currency: string,
  to: string,
  day: string,
): Promise<RateOfDay> {
  const { rows } = await db.query<RateOfDay>(
    'select trim_scale(fx_rate) as fx_rate, fx_day, fx_cause from fact.exchange_rate($1, $2, $3::date)',
    [currency, to, day],
  );
  const [rate] = rows;
  if (!rate) throw new TypeError('fact.exchange_rate gave no row');
  return rate;
}

export type CurrencySpan = {
  currency: string;
  first_day: string;
  last_day: string;
  days: number;
  units_per_euro: string;
  doubtful: number;
};

/** From its first publication to its last one, with the last rate. */
export async function currencySpans(db: Reader): Promise<CurrencySpan[]> {
  const { rows } = await db.query<CurrencySpan>(`
    select s.currency, s.first_day, s.last_day, s.days, r.units_per_euro, s.doubtful
    from (
      select currency, min(day) as first_day, max(day) as last_day, count(*) as days,
             count(*) filter (where doubts <> '{}') as doubtful
      from app.fx_rates group by currency
    ) s
    join app.fx_rates r on r.currency = s.currency and r.day = s.last_day
    order by s.currency`);
  return rows;
}

export type FeedState = { url: string; changed_at: Date; checked_at: Date };

export async function feedStates(db: Reader): Promise<FeedState[]> {
  const { rows } = await db.query<FeedState>(
    'select url, changed_at, checked_at from ops.fx_feeds order by url',
  );
  return rows;
}
