/**
 * Why a figure of a day is not there, or not final. Which streams it rests on and which rollups make it is data
 * (`ops.streams`, `ops.rollups`), so a figure that is added is explained without a line here.
 */
import { coded } from '#runtime/errors.ts';
import type { Reader } from '#sql/db/reader.ts';
import { rollups } from '#sql/rollups/index.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import type { Retailer } from '#sql/tenants/retailers.ts';
import { type Reason, reason } from '../shared/reason.ts';
import { count } from '../ui/format.ts';
import { type Feed, reasonsOfFeeds } from './feed.ts';

export class FigureUnknown extends coded('NS_FIGURE_UNKNOWN') {
  constructor(name: string, known: readonly string[]) {
    super(`There are no figures ${name}.`, { hint: `There are: ${known.join(', ')}.`, context: { name } });
  }
}

export type Asked = { figure: string; brand: Brand; retailer: Retailer | undefined; day: string };

export type Explained = {
  figure: string;
  brand: string;
  retailer: string | null;
  day: string;
  /** `absent` before the first day with data, and where nothing feeds it. */
  state: 'final' | 'provisional' | 'late' | 'absent';
  /** Of the day; null where its rows are of no day. */
  rows: number | null;
  reasons: Reason[];
};

export async function explain(db: Reader, asked: Asked): Promise<Explained> {
  const source = await sourceOf(db, asked.figure);
  const feeds = await feedsOf(db, asked, source);
  const judged = await judge(db, asked, source);
  const rows = await rowsOf(db, asked);
  const { figure, brand, retailer, day } = asked;
  const of = { figure, brand: brand.slug, retailer: retailer?.slug ?? null, day, rows };
  if (feeds.length === 0) return { ...of, state: 'absent', reasons: [await nobodyFeeds(db, asked, source)] };
  if (judged === undefined)
    return { ...of, state: 'absent', reasons: await outOfRange(db, asked, { source, feeds }) };
  if (judged.cause === null) return { ...of, state: judged.state, reasons: [whenFinal(of)] };
  const ofFeeds = judged.is_over ? await reasonsOfFeeds(db, feeds) : [];
  return { ...of, state: judged.state, reasons: [whyNot(asked, judged.cause), ...ofFeeds] };
}

/** By the name of a rollup, or of the figures that several of them make. */
async function sourceOf(db: Reader, name: string): Promise<string> {
  const { rows } = await db.query<{ rollup: string; figures: string }>(
    'select rollup, figures from ops.rollups order by rollup',
  );
  const found = rows.find(({ rollup, figures }) => rollup === name || figures === name);
  if (found !== undefined) return found.figures;
  throw new FigureUnknown(
    name,
    [...new Set(rows.flatMap(({ rollup, figures }) => [rollup, figures]))].sort(),
  );
}

async function feedsOf(db: Reader, { brand, retailer, day }: Asked, source: string): Promise<Feed[]> {
  const { rows } = await db.query<Feed>(FEEDS, [brand.id, source, retailer?.id ?? null, day]);
  return rows;
}

const FEEDS_MAX = 200;

const FEEDS = `
  select s.brand_id, s.brand, s.connection_id, s.connection, s.stream, s.state, s.error, s.complete_to,
         s.complete_to is null or s.complete_to < fact.day_start($4::date + 1, b.time_zone) as is_behind
  from bi.sync_status s
  join ops.streams f on f.stream = s.stream
  join app.connections c on c.brand_id = s.brand_id and c.id = s.connection_id and c.removing_at is null
  join app.brands b on b.id = s.brand_id
  where s.brand_id = $1 and $2 = any (f.feeds) and ($3::uuid is null or c.retailer_id = $3 or c.level = 'brand')
  order by s.connection, s.stream limit ${FEEDS_MAX}`;

type Judged = { state: 'final' | 'provisional' | 'late'; cause: string | null; is_over: boolean };

async function judge(db: Reader, { brand, day }: Asked, source: string): Promise<Judged | undefined> {
  const { rows } = await db.query<Judged>(
    `select c.state, c.cause, fact.day_start(c.day + 1, $4) <= now() as is_over
     from bi.completeness c where c.brand_id = $1 and c.source = $2 and c.day = $3`,
    [brand.id, source, day, brand.timeZone],
  );
  return rows[0];
}

/** Those that the rollup of that name has written; null for figures of several rollups, and of objects. */
async function rowsOf(db: Reader, { figure, brand, retailer, day }: Asked): Promise<number | null> {
  const rollup = rollups.find(({ name }) => name === figure);
  if (rollup === undefined || !rollup.grain.includes('day')) return null;
  const { rows } = await db.query<{ n: number }>(
    `select count(*)::int as n from ${rollup.writes}
     where brand_id = $1 and day = $2 and ($3::uuid is null or retailer_id = $3)`,
    [brand.id, day, retailer?.id ?? null],
  );
  return rows[0]?.n ?? 0;
}

async function nobodyFeeds(db: Reader, { brand, retailer }: Asked, source: string): Promise<Reason> {
  const { rows } = await db.query<{ provider: string }>(
    'select distinct provider from ops.streams where $1 = any (feeds) order by provider',
    [source],
  );
  const names = rows.map(({ provider }) => provider).join(' or ');
  const owner = retailer === undefined ? brand.slug : `${retailer.slug} of ${brand.slug}`;
  return reason(
    `${owner} has no connection to ${names}, which ${source} rest on`,
    `npx nightshift connections add NAME --brand ${brand.slug} --provider ${rows[0]?.provider ?? 'PROVIDER'} …`,
  );
}

/** A day that is ahead, or before the first one with data: that it had none is known once all is read. */
async function outOfRange(
  db: Reader,
  { brand, day }: Asked,
  { source, feeds }: { source: string; feeds: readonly Feed[] },
): Promise<Reason[]> {
  const { rows } = await db.query<{ first: string; is_ahead: boolean }>(
    `select min(day) as first, $3::date > max(day) as is_ahead from bi.completeness where brand_id = $1 and source = $2`,
    [brand.id, source, day],
  );
  const [range] = rows;
  if (range?.is_ahead) return [reason('the day has not begun')];
  const unread = await reasonsOfFeeds(db, feeds);
  if (unread.length > 0) return unread;
  return [
    reason(`the first day with data of ${source} is ${range?.first}: the providers had nothing before`),
  ];
}

function whenFinal({ rows, brand, day }: { rows: number | null; brand: string; day: string }): Reason {
  if (rows === null) return reason('everything is read and computed');
  if (rows > 0) return reason(`it is there (${count(rows, 'row')}) and final`);
  return reason(
    'everything was read past the end of the day, and the providers had nothing of it',
    `if that is wrong: npx nightshift sync run --brand ${brand} --since ${day}T00:00:00Z`,
  );
}

function whyNot({ brand, day }: Asked, cause: string): Reason {
  const waits = cause.includes('wait to be computed') || cause.includes('carried on');
  return reason(
    cause,
    waits ? `npx nightshift rollup run --brand ${brand.slug} --from ${day} --to ${day} --wait` : undefined,
  );
}
