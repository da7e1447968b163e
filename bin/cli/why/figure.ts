/**
 * Why a figure of a day is not there, or not final. Which streams it rests on and which rollups make it is data
 * (`ops.streams`, `ops.rollups`), so a figure that is added is explained without a line here.
 */
import { coded } from '#runtime/errors.ts';
import type { Reader } from '#sql/db/reader.ts';
import { isExplained } from '#sql/explain/statement.ts';
import { rollups } from '#sql/rollups/index.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import type { Retailer } from '#sql/tenants/retailers.ts';
import { type Reason, reason } from '../shared/options/reason.ts';
import { count } from '../ui/format.ts';
import { instant } from '../ui/output.ts';
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
  state: 'final' | 'settling' | 'provisional' | 'late' | 'absent';
  /** Of the day; null where its rows are of no day. */
  rows: number | null;
  reasons: Reason[];
};

export async function explain(db: Reader, asked: Asked): Promise<Explained> {
  const source = await sourceOf(db, asked.figure);
  const isFed = await isFedBySome(db, asked, source);
  const judged = await judge(db, asked, source);
  const rows = await rowsOf(db, asked);
  const { figure, brand, retailer, day } = asked;
  const of = { figure, brand: brand.slug, retailer: retailer?.slug ?? null, day, rows };
  if (!isFed) return { ...of, state: 'absent', reasons: [await nobodyFeeds(db, asked, source)] };
  if (judged === undefined) return { ...of, state: 'absent', reasons: await outOfRange(db, asked, source) };
  const { cause } = judged;
  if (cause === null) return { ...of, state: judged.state, reasons: [whenFinal(of, judged.starts_at)] };
  if (judged.state === 'settling') return { ...of, state: judged.state, reasons: [settles(cause)] };
  const ofFeeds = judged.is_over ? await unfitFeeds(db, asked, source) : [];
  return { ...of, state: judged.state, reasons: inOrder(asked, { ...judged, cause }, ofFeeds) };
}

/**
 * A day is judged for its whole brand, so the cause may be of another retailer: where one is named, what its own
 * figure waits for comes first, and the cause is said to be the brand's.
 */
function inOrder(asked: Asked, judged: NotFinal, ofFeeds: readonly Reason[]): Reason[] {
  const { brand, retailer } = asked;
  if (retailer === undefined || !judged.is_over) return [whyNot(asked, judged.cause), ...ofFeeds];
  const ofBrand = whyNot(asked, judged.cause, `the day of ${brand.slug} is judged as a whole and waits: `);
  return ofFeeds.length > 0
    ? [...ofFeeds, ofBrand]
    : [reason(`nothing that ${retailer.slug} rests on is behind`), ofBrand];
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

/** Connections of the brand, of the retailer if one is named, whose streams the figures rest on. */
const FED_BY = `
  from app.connections c
  join ops.streams f on f.provider = c.provider and $2 = any (f.feeds)
  where c.brand_id = $1 and c.removing_at is null and ($3::uuid is null or c.retailer_id = $3 or c.level = 'brand')`;

async function isFedBySome(db: Reader, { brand, retailer }: Asked, source: string): Promise<boolean> {
  const given = [brand.id, source, retailer?.id ?? null];
  const { rows } = await db.query<{ is_fed: boolean }>(`select exists (select ${FED_BY}) as is_fed`, given);
  return rows[0]?.is_fed ?? false;
}

async function unfitFeeds(db: Reader, { brand, retailer, day }: Asked, source: string): Promise<Reason[]> {
  const given = [brand.id, source, retailer?.id ?? null, day];
  const { rows } = await db.query<Feed & { total: number }>(UNFIT, given);
  const more = (rows[0]?.total ?? 0) - rows.length;
  return [
    ...(await reasonsOfFeeds(db, rows)),
    ...(more > 0
      ? [reason(`and ${count(more, 'more stream')}`, `npx nightshift sync status --brand ${brand.slug}`)]
      : []),
  ];
}

const UNFIT_MAX = 200;

// Those that are well and read past the end of the day are left out here, so that none of the others is cut for them.
const UNFIT = `
  with fed_by as materialized (select c.id, f.stream ${FED_BY})
  select s.brand_id, s.brand, s.connection_id, s.connection, s.stream, s.state, s.error, s.complete_to, is_behind,
         count(*) over ()::int as total
  from fed_by
  join bi.sync_status s on s.brand_id = $1 and s.connection_id = fed_by.id and s.stream = fed_by.stream
  join app.brands b on b.id = s.brand_id
  cross join lateral (
    select s.complete_to is null or s.complete_to < fact.day_start($4::date + 1, b.time_zone) as is_behind) e
  where is_behind or s.state not in ('ok', 'late')
  order by s.connection, s.stream limit ${UNFIT_MAX}`;

type Judged = {
  state: 'final' | 'settling' | 'provisional' | 'late';
  cause: string | null;
  starts_at: Date;
  is_over: boolean;
};

type NotFinal = { cause: string; is_over: boolean };

async function judge(db: Reader, { brand, day }: Asked, source: string): Promise<Judged | undefined> {
  const { rows } = await db.query<Judged>(
    `select c.state, c.cause, fact.day_start(c.day, $4) as starts_at, fact.day_start(c.day + 1, $4) <= now() as is_over
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
async function outOfRange(db: Reader, asked: Asked, source: string): Promise<Reason[]> {
  const { brand, day } = asked;
  const { rows } = await db.query<{ first: string | null; is_ahead: boolean }>(FIRST_DAY, [
    ...[brand.id, source, brand.timeZone, day],
  ]);
  const [range] = rows;
  if (range?.is_ahead) return [reason('the day has not begun')];
  const unread = await unfitFeeds(db, asked, source);
  if (unread.length > 0) return unread;
  const first = range?.first ?? null;
  if (first === null) return [reason(`there is no data of ${source} yet: the providers had nothing`)];
  return [reason(`the first day with data of ${source} is ${first}: the providers had nothing before`)];
}

// Days are judged from yesterday on where there is no row at all, so the first one that is judged may have no data.
const FIRST_DAY = `
  select (select min(ops.first_day(f, $1, $3)) from ops.streams f where $2 = any (f.feeds)) as first,
         $4::date > (now() at time zone $3)::date as is_ahead`;

type Final = Pick<Explained, 'figure' | 'rows' | 'brand' | 'retailer' | 'day'>;

function whenFinal({ figure, rows, brand, retailer, day }: Final, startsAt: Date): Reason {
  if (rows === null) return reason('everything is read and computed');
  if (rows > 0) {
    const rollup = rollups.find(({ name }) => name === figure);
    const isAsked =
      rollup !== undefined && isExplained(rollup) && (rollup.of === 'brand') === (retailer === null);
    const whose = retailer === null ? '' : ` --retailer ${retailer}`;
    return reason(
      `it is there (${count(rows, 'row')}) and final`,
      isAsked
        ? `to see what it is made of: npx nightshift explain ${figure} --brand ${brand}${whose} --day ${day}`
        : undefined,
    );
  }
  return reason(
    'everything was read past the end of the day, and the providers had nothing of it',
    `if that is wrong: npx nightshift sync run --brand ${brand} --since ${instant(startsAt)}`,
  );
}

function settles(cause: string): Reason {
  return reason(`${cause}: nothing is wrong, and it is final once its provider counts it no more`);
}

function whyNot({ brand, day }: Asked, cause: string, before = ''): Reason {
  const waits = cause.includes('wait to be computed') || cause.includes('carried on');
  return reason(
    `${before}${cause}`,
    waits ? `npx nightshift rollup run --brand ${brand.slug} --from ${day} --to ${day} --wait` : undefined,
  );
}
