/**
 * A million events from a file: checked, with digests of their visitors, ids that are stored once and marks of their days,
 * beside a plain COPY of the same events, as CSV, into a plain table of the same columns and partitions, and beside one into
 * the very tables, with their keys and the ids.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { linesOf } from '../../bin/cli/events/lines.ts';
import { type Imported, storeLines } from '../../bin/cli/events/store_lines.ts';
import type { Tx } from '../../sql/db/pool.ts';
import { aBrand, aRetailer, testSealer } from '../../test/support/rows/factory.ts';
import type { Figure } from '../support/bench.ts';
import { median, timed } from '../support/measure.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

const EVENTS = Number(process.env.BENCH_EVENTS ?? 1_000_000);
const ROUNDS = 2;
const NOW = new Date('2026-11-30T00:00:00Z');
const DAYS = 90;
const MONTHS = ['2026-08-01', '2026-09-01', '2026-10-01', '2026-11-01'];
const KINDS = [
  'page_view',
  'page_view',
  'page_view',
  'cart_add',
  'download',
  'scan',
  'conversion',
  'exposure',
];
const MORE: Record<string, (n: number) => Record<string, string | undefined>> = {
  page_view: (n) => (n % 3 === 0 ? { asset: `picture-${n % 500}` } : {}),
  cart_add: () => ({}),
  download: (n) => ({ asset: `guide-${n % 500}.pdf` }),
  scan: (n) => ({ code: `box-${n % 2_000}` }),
  conversion: (n) => ({ stage: n % 2 ? 'checkout' : 'purchase', amount: `${n % 400}.50`, currency: 'GBP' }),
  exposure: (n) => ({ experiment: 'button', variant: n % 16 < 8 ? 'a' : 'b' }),
};
const COLUMNS = [
  'happened_at',
  'id',
  'kind',
  'visitor',
  'experiment',
  'variant',
  'stage',
  'asset',
  'code',
  'amount',
  'currency',
];

function eventOf(n: number): Record<string, string | undefined> {
  const kind = KINDS[n % KINDS.length] ?? 'scan';
  const at = NOW.getTime() - DAYS * 86_400_000 + Math.floor((n / EVENTS) * DAYS * 86_400_000);
  const id = `${(Math.imul(n, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}-${n}`;
  return {
    id,
    kind,
    happened_at: new Date(at).toISOString(),
    visitor: `visitor-${n % 60_000}`,
    ...MORE[kind]?.(n),
  };
}

export async function benchEvents(server: BenchServer): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-events-'));
  try {
    const [json, csv] = [join(dir, 'events.ndjson'), join(dir, 'events.csv')];
    await write(json, (event) => JSON.stringify(event));
    const copied = (brandId: string) => (event: Record<string, string | undefined>) =>
      [brandId, ...COLUMNS.map((column) => event[column] ?? '')].join(',');
    const ids = join(dir, 'ids.csv');
    const [ours, plain, keyed, same]: [number[], number[], number[], number[]] = [[], [], [], []];
    let [again, repeats, peak] = [0, 0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const db = await server.freshDatabase();
      const { id: brandId } = await aBrand(db, { slug: 'acme' });
      await aRetailer(db, { brandId, slug: 'uk' });
      await write(csv, copied(brandId));
      const load = () => importFile(db, brandId, json);
      for (const [name, key, into] of [
        ['plain', '', plain],
        ['keyed', ', primary key (brand_id, happened_at, id)', keyed],
      ] as const) {
        await makeTable(db, name, key);
        into.push(await timed(() => copyFile(db, name, csv)));
      }
      await write(ids, ({ id, happened_at }) => [brandId, id, happened_at].join(','));
      same.push(await timed(() => copyAsOurs(db, csv, ids)));
      await db.query('truncate raw.events, raw.event_ids');
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      }, 100);
      ours.push(await timed(load));
      clearInterval(watch);
      if (round > 0) continue;
      again = await timed(load);
      const { id: other } = await aBrand(db, { slug: 'other' });
      await aRetailer(db, { brandId: other, slug: 'uk' });
      await write(csv, (event) => JSON.stringify(event), 100);
      await importFile(db, other, csv);
      repeats = await timed(() => importFile(db, other, json));
    }
    const perSecond = (ms: number) => (EVENTS / ms) * 1000;
    const ratio = (beside: readonly number[]) =>
      median(beside.map((ms, round) => ms / (ours[round] ?? Number.NaN)));
    return [
      { name: 'events of a file', value: perSecond(median(ours)), unit: 'events/s' },
      { name: 'COPY into a plain table', value: perSecond(median(plain)), unit: 'events/s' },
      { name: 'beside COPY into a plain table', value: ratio(plain), unit: 'x', bar: { atLeast: 0.5 } },
      {
        name: 'beside COPY into one with its primary key',
        value: ratio(keyed),
        unit: 'x',
        bar: { atLeast: 0.5 },
      },
      { name: 'beside COPY into the same tables', value: ratio(same), unit: 'x', bar: { atLeast: 0.5 } },
      { name: 'the same file again', value: perSecond(again), unit: 'events/s' },
      { name: 'a file of which 1 % is known', value: perSecond(repeats), unit: 'events/s' },
      { name: 'memory of the process', value: peak / 1e6, unit: 'MB' },
    ];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function write(
  path: string,
  lineOf: (event: Record<string, string | undefined>) => string,
  step = 1,
): Promise<void> {
  function* chunks() {
    for (let from = 0; from < EVENTS; from += 1_000) {
      let text = '';
      for (let n = from; n < Math.min(from + 1_000, EVENTS); n += step) text += `${lineOf(eventOf(n))}\n`;
      yield text;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(path));
}

function importFile(db: BenchDb, brandId: string, path: string): Promise<Imported> {
  return db.transaction((tx) =>
    storeLines(
      db,
      tx,
      { sealer: testSealer, brandId, retailer: 'uk', skipsInvalid: false, now: NOW },
      linesOf(path, Readable.from([]), 'ndjson'),
    ),
  );
}

async function makeTable(db: BenchDb, name: string, key: string): Promise<void> {
  await db.query(`create table public.${name} (
    brand_id uuid not null, happened_at timestamptz not null, id text not null, kind text not null, retailer_id uuid, visitor text,
    experiment text, variant text, stage text, asset text, code text, country text, latitude numeric, longitude numeric,
    amount numeric, currency text, properties jsonb, seen_at timestamptz not null default now()${key}) partition by range (happened_at)`);
  for (const month of MONTHS)
    await db.query(
      `create table public.${name}_${month.slice(0, 7).replace('-', '_')} partition of public.${name}
       for values from ('${month} 00:00Z') to ('${month.slice(0, 5)}${String(Number(month.slice(5, 7)) + 1).padStart(2, '0')}-01 00:00Z')`,
    );
}

function copyFile(db: BenchDb, name: string, path: string): Promise<void> {
  return db.transaction((tx) => copyInto(tx, `public.${name} (brand_id, ${COLUMNS.join(', ')})`, path));
}

/** What a COPY would take that checks nothing and marks nothing. */
async function copyAsOurs(db: BenchDb, events: string, ids: string): Promise<void> {
  await db.query('select ops.make_event_months($1)', [MONTHS]);
  await db.transaction(async (tx) => {
    await copyInto(tx, 'raw.event_ids (brand_id, id, happened_at)', ids);
    await copyInto(tx, `raw.events (brand_id, ${COLUMNS.join(', ')})`, events);
  });
}

function copyInto(tx: Tx, target: string, path: string): Promise<void> {
  return pipeline(createReadStream(path), tx.query(copyFrom(`copy ${target} from stdin (format csv)`)));
}
