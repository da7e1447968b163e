/**
 * Pages into tables: our loader beside the ways of the published peers, on the same pages, in turns.
 * A page is the text of a provider's answer, and the clock covers parsing it, making rows of it and
 * storing them. Charges stand for flat objects, orders for objects that are several tables' rows.
 */
import { loadItems } from '../sql/load/load.ts';
import { loadOrders } from './load_orders.ts';
import type { Figure } from './support/bench.ts';
import { chargeItems, chargePages, charges, makeChargesTable } from './support/charges.ts';
import { type Place, upsertPage, upsertRows } from './support/load_yardsticks.ts';
import { compare, rememberVersions, rewrittenSince, timed, walBytes } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { addConnection } from './support/tenants.ts';

const CHARGES = 20_000;
const PER_PAGE = 1_000;
const ROUNDS = 3;
const FIRST = new Date('2026-11-01T00:00:00Z');
const LATER = new Date('2026-11-02T00:00:00Z');

export async function benchLoad(server: BenchServer): Promise<Figure[]> {
  return [...(await loadCharges(await server.freshDatabase())), ...(await loadOrders(server))];
}

async function loadCharges(db: BenchDb): Promise<Figure[]> {
  const place = await addConnection(db, { provider: 'stripe', account: 'acct_bench' });
  const pages = chargePages(CHARGES, PER_PAGE);
  const bytes = pages.reduce((sum, page) => sum + Buffer.byteLength(page), 0);
  const ways = { ours: charges.name, byPage: 'raw.bench_by_page', byRow: 'raw.bench_by_row' };
  for (const table of Object.values(ways)) await makeChargesTable(db, table);
  const load = (now: Date) => everyPage(pages, (page) => loadCharge(db, place, page, now));
  const loadByPage = () => everyPage(pages, (page) => upsertPage(db, ways.byPage, place, page));
  const loadByRow = () => everyPage(pages, (page) => upsertRows(db, ways.byRow, place, page));

  const first = await compare(ROUNDS, {
    ours: () => intoEmpty(db, ways.ours, () => load(FIRST)),
    byPage: () => intoEmpty(db, ways.byPage, loadByPage),
    byRow: () => intoEmpty(db, ways.byRow, loadByRow),
  });
  const firstWal = await walBytes(db, () => intoEmpty(db, ways.ours, () => load(FIRST)));
  await rememberVersions(db, [ways.ours]);
  const again = await compare(ROUNDS, {
    ours: () => timed(() => load(LATER)),
    byPage: () => timed(loadByPage),
  });
  const againWal = await walBytes(db, () => load(LATER));
  const rewritten = await rewrittenSince(db, [ways.ours]);

  const perSecond = (ms: number) => (CHARGES / ms) * 1000;
  return [
    { name: 'charge, mean size', value: bytes / CHARGES, unit: 'bytes' },
    { name: 'charges, first load', value: perSecond(first.ours), unit: 'rows/s' },
    { name: 'charges, one insert per 1,000 rows', value: perSecond(first.byPage), unit: 'rows/s' },
    { name: 'charges, one insert per row, 5 at a time', value: perSecond(first.byRow), unit: 'rows/s' },
    {
      name: 'charges, first load / one insert per row',
      value: first.byRow / first.ours,
      unit: 'x',
      bar: { atLeast: 1.5 },
    },
    {
      name: 'charges, first load / one insert per 1,000 rows',
      value: first.byPage / first.ours,
      unit: 'x',
      bar: { atLeast: 1 },
    },
    { name: 'charges, unchanged again', value: perSecond(again.ours), unit: 'rows/s' },
    {
      name: 'charges, unchanged again by one insert per 1,000',
      value: perSecond(again.byPage),
      unit: 'rows/s',
    },
    {
      name: 'charges, unchanged again / first load',
      value: first.ours / again.ours,
      unit: 'x',
      bar: { atLeast: 2 },
    },
    { name: 'charges, rows rewritten by it', value: rewritten, unit: 'rows', bar: { below: 1 } },
    { name: 'charges, log of the first load', value: firstWal / CHARGES, unit: 'bytes/row' },
    { name: 'charges, log of the unchanged load', value: againWal / CHARGES, unit: 'bytes/row' },
  ];
}

async function loadCharge(db: BenchDb, place: Place, page: string, now: Date): Promise<void> {
  const items = chargeItems(page, now);
  await db.transaction((tx) => loadItems(tx, { ...place, tables: [charges], now }, items));
}

async function everyPage(pages: readonly string[], load: (page: string) => Promise<void>): Promise<void> {
  for (const page of pages) await load(page);
}

// Each begins with an empty table and right after a checkpoint: the log then holds whole pages alike.
async function intoEmpty(db: BenchDb, table: string, work: () => Promise<void>): Promise<number> {
  await db.query(`truncate ${table}`);
  await db.query('truncate ops.marks');
  await db.query('checkpoint');
  return timed(work);
}
