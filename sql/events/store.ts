/**
 * The only writer of `raw.events`. A batch is stored inside the caller's transaction with the marks of what it touches. An
 * event is stored once: what comes again under its id is left out, and reported as a conflict if it says something else.
 */
import pg from 'pg';
import { copyLines, escaped, jsonText } from '../db/copy.ts';
import { followIndexes } from '../db/planner.ts';
import type { Db, Tx } from '../db/pool.ts';
import { markPartitions } from '../dirty/marks.ts';
import { visitorsOf } from '../tenants/persons.ts';
import { keepBrand, keepRetailer } from '../tenants/removing.ts';
import type { Sealer } from '../tenants/secrets.ts';
import type { Event, Rules } from './event.ts';
import { markExposures } from './marks.ts';

/** The limit of one batch: it is held in memory. */
export const BATCH_MAX = 10_000;
/** Offsets of zones are multiples of it, so all its instants fall on one day of any zone. */
const QUARTER_MS = 900_000;
/** Of coordinates: about a hundred metres, so that they name no house. */
const PLACES = 3;
/** Of pairs that are remembered; others are looked up again. */
const MARKED_MAX = 100_000;
const UNIQUE_VIOLATION = '23505';

/** One brand whose events are being stored. */
export type Storing = Rules & {
  brandId: string;
  brand: string;
  timeZone: string;
  visitorOf(visitor: string): string;
  /** Those that stay until the transaction ends. */
  kept: Set<string>;
  /** Visitors and experiments whose exposures of before are marked. */
  marked: Set<string>;
};

/** A batch as PostgreSQL takes it. */
export type Batch = { events: readonly Event[]; lines: readonly string[]; ids: readonly string[] };

export type Stored = {
  stored: number;
  /** Events that were there already. */
  known: number;
  /** Those of them that say something else than what is stored; `index` in the batch. */
  conflicts: { index: number; id: string }[];
};

/** Keeps the brand until the transaction ends, and reads what its events are checked and stored by. */
export async function openEvents(tx: Tx, sealer: Sealer, brandId: string, now: Date): Promise<Storing> {
  const brand = await keepBrand(tx, brandId);
  await followIndexes(tx);
  const { rows } = await tx.query<{ timeZone: string; keptDays: number; keptFrom: Date }>(
    `select b.time_zone as "timeZone", r.kept as "keptDays",
            fact.day_start(greatest(($2::timestamptz at time zone b.time_zone)::date - r.kept,
                                    fact.first_day_from(b.events_from, b.time_zone)), b.time_zone) as "keptFrom"
     from app.brands b join ops.retention r on r.brand_id = b.id and r.rule = 'events' where b.id = $1`,
    [brandId, now],
  );
  const { rows: retailers } = await tx.query<{ id: string; slug: string }>(
    'select id, slug from app.retailers where brand_id = $1 and removing_at is null order by slug',
    [brandId],
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError(`brand ${brandId} is kept and not there`);
  return {
    ...{ brandId, brand, ...row, now },
    retailers: new Map(retailers.map(({ id, slug }) => [slug, id])),
    visitorOf: await visitorsOf(tx, sealer, brandId),
    ...{ kept: new Set(), marked: new Set() },
  };
}

/** The months that events are stored in, such as 2026-03. */
export function monthsOf(events: readonly Event[]): Set<string> {
  return new Set(events.map(({ happened_at }) => new Date(happened_at).toISOString().slice(0, 7)));
}

/** Makes the months of a batch, in a transaction of its own: nobody else's events wait for the end of this load. */
export async function makeMonths(
  db: Pick<Db, 'transaction'>,
  events: readonly Event[],
  made: Set<string>,
): Promise<void> {
  const months = monthsOf(events);
  const missing = [...months.difference(made)].map((month) => `${month}-01`);
  if (missing.length === 0) return;
  await db.transaction((tx) => tx.query('select ops.make_event_months($1)', [missing]));
  for (const month of months) made.add(month);
}

/** Makes the lines of at most `BATCH_MAX` events: PostgreSQL takes the batch before meanwhile. */
export function batchOf(storing: Storing, events: readonly Event[]): Batch {
  const lines = events.map((event) => lineOf(storing, event));
  // In the order of the index: neighbours are on one page of it, and two loads never wait for each other in a circle.
  const ids = events
    .map(
      ({ id, happened_at }) => `${storing.brandId}\t${escaped(id)}\t${new Date(happened_at).toISOString()}`,
    )
    .sort();
  return { events, lines, ids };
}

/** Stores a batch, whose months are there. */
export async function storeEvents(tx: Tx, storing: Storing, batch: Batch): Promise<Stored> {
  const { events, lines } = batch;
  const retailers = new Set(events.flatMap(({ retailer }) => (retailer == null ? [] : [retailer])));
  for (const slug of [...retailers].filter((one) => !storing.kept.has(one)).sort()) {
    await keepRetailer(tx, storing.brandId, storing.retailers.get(slug) ?? '');
    storing.kept.add(slug);
  }
  if (await storeNew(tx, batch)) {
    await mark(tx, storing, events);
    return { stored: events.length, known: 0, conflicts: [] };
  }
  const { fresh, conflicts } = await storeStaged(tx, lines);
  await mark(
    tx,
    storing,
    fresh.map((index) => events[index] as Event),
  );
  return { stored: fresh.length, known: events.length - fresh.length, conflicts };
}

const COLUMNS = `brand_id, happened_at, id, kind, retailer_id, visitor, experiment, variant, stage, asset, code, country,
  latitude, longitude, amount, currency, properties`;

function lineOf({ brandId, retailers, visitorOf }: Storing, event: Event): string {
  const { id, kind, retailer, visitor, latitude, longitude, amount, properties } = event;
  const texts = [event.experiment, event.variant, event.stage, event.asset, event.code, event.country];
  return [
    ...[brandId, new Date(event.happened_at).toISOString(), escaped(id), kind],
    ...[
      cell(retailer == null ? null : retailers.get(retailer)),
      cell(visitor == null ? null : visitorOf(visitor)),
    ],
    ...texts.map(cell),
    ...[degrees(latitude), degrees(longitude), cell(amount), cell(event.currency)],
    properties == null ? '\\N' : escaped(jsonText(properties)),
  ].join('\t');
}

function cell(value: string | null | undefined): string {
  return value == null ? '\\N' : escaped(value);
}

function degrees(value: number | null | undefined): string {
  return value == null ? '\\N' : value.toFixed(PLACES);
}

/** Whether none of them was there: then they need no staging, which halves the time. */
async function storeNew(tx: Tx, { ids, lines }: Batch): Promise<boolean> {
  await tx.query('savepoint new_events');
  try {
    await copyLines(tx, 'copy raw.event_ids (brand_id, id, happened_at) from stdin', ids);
    await copyLines(tx, `copy raw.events (${COLUMNS}) from stdin`, lines);
    await tx.query('release savepoint new_events');
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== UNIQUE_VIOLATION) throw error;
    await tx.query('rollback to savepoint new_events');
    return false;
  }
}

const STAGE = `
  create temporary table if not exists staged_events (
    index integer, brand_id uuid, happened_at timestamptz, id text, kind text, retailer_id uuid, visitor text, experiment text,
    variant text, stage text, asset text, code text, country text, latitude numeric, longitude numeric, amount numeric,
    currency text, properties jsonb, primary key (id, index)) on commit drop;
  truncate staged_events`;

const WRITE = `
  with fresh as (
    insert into raw.event_ids (brand_id, id, happened_at)
    select brand_id, id, happened_at from (select distinct on (id) * from staged_events order by id, index) s
    order by id collate "C" on conflict do nothing returning id
  ), first as (
    select s.* from fresh f
    cross join lateral (select * from staged_events where id >= f.id and id <= f.id order by id, index limit 1) s
  ), written as (
    insert into raw.events (${COLUMNS}) select ${COLUMNS} from first
  )
  select index from first order by index`;

/** By a statement of its own, which sees what is written. */
const CONFLICTS = `
  select s.index, s.id
  from staged_events s
  cross join lateral (
    select happened_at from raw.event_ids where brand_id = s.brand_id and id >= s.id and id <= s.id order by id
  ) i
  cross join lateral (
    select * from raw.events
    where brand_id = s.brand_id and happened_at >= i.happened_at and happened_at <= i.happened_at and id = s.id
    order by happened_at
  ) e
  where (${listOf('s')}) is distinct from (${listOf('e')})
  order by s.index`;

function listOf(row: string): string {
  return COLUMNS.split(',')
    .map((column) => `${row}.${column.trim()}`)
    .join(', ');
}

async function storeStaged(
  tx: Tx,
  lines: readonly string[],
): Promise<{ fresh: number[]; conflicts: Stored['conflicts'] }> {
  await tx.query(STAGE);
  const numbered = lines.map((line, index) => `${index}\t${line}`);
  await copyLines(tx, `copy staged_events (index, ${COLUMNS}) from stdin`, numbered);
  const { rows } = await tx.query<{ index: number }>(WRITE);
  const fresh = rows.map(({ index }) => index);
  if (fresh.length === lines.length) return { fresh, conflicts: [] };
  const { rows: conflicts } = await tx.query<{ index: number; id: string }>(CONFLICTS);
  return { fresh, conflicts };
}

async function mark(tx: Tx, storing: Storing, events: readonly Event[]): Promise<void> {
  const { brandId, timeZone, visitorOf, marked, now } = storing;
  const quarterOf = ({ happened_at: ms }: Event) => ms - (ms % QUARTER_MS);
  const exposures = new Set<number>();
  const pairs = new Map<string, { visitor: string; experiment: string }>();
  for (const event of events) {
    if (event.visitor == null || event.experiment == null) continue;
    const pair = { visitor: visitorOf(event.visitor), experiment: event.experiment };
    const name = `${pair.visitor} ${pair.experiment}`;
    if (!marked.has(name)) pairs.set(name, pair);
    else if (event.kind === 'exposure') exposures.add(quarterOf(event));
  }
  const instants = new Map([
    ['events', new Set(events.map(quarterOf))],
    ['exposures', exposures],
  ] as const);
  await markPartitions(tx, { brandId, owners: [null], timeZone, now }, { instants });
  await markExposures(tx, storing, [...pairs.values()]);
  if (marked.size >= MARKED_MAX) marked.clear();
  for (const name of pairs.keys()) marked.add(name);
}
