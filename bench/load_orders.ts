/** Orders of five lines: six tables in one transaction, the first order of each customer watched. */
import { orderItem } from '../connectors/shopify/streams/order_rows.ts';
import { ordersStream } from '../connectors/shopify/streams/orders.ts';
import { loadItems } from '../sql/load/load.ts';
import type { Figure } from './support/bench.ts';
import { median, rememberVersions, rewrittenSince, timed, walBytes } from './support/measure.ts';
import { orderPages, ROWS_PER_ORDER } from './support/orders.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { addConnection } from './support/tenants.ts';

const ORDERS = 5_000;
const PER_PAGE = 500;
const ROUNDS = 3;
const NOW = new Date('2026-11-01T00:00:00Z');

export async function loadOrders(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const pages = orderPages(ORDERS, PER_PAGE);
  const changedPages = orderPages(ORDERS, PER_PAGE, 1);
  const tables = ordersStream.tables.map(({ name }) => name);
  const times = { first: [] as number[], again: [] as number[], changed: [] as number[] };
  const log = { first: [] as number[], again: [] as number[] };
  const rewritten: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const place = await addConnection(db, { provider: 'shopify', account: `shop-${round}` });
    const load = (texts: readonly string[]) => timed(() => everyPage(db, place, texts));
    await db.query('checkpoint');
    log.first.push(await walBytes(db, async () => times.first.push(await load(pages))));
    await rememberVersions(db, tables);
    log.again.push(await walBytes(db, async () => times.again.push(await load(pages))));
    rewritten.push(await rewrittenSince(db, tables));
    times.changed.push(await load(changedPages));
  }

  const [first, again, changed] = [median(times.first), median(times.again), median(times.changed)];
  const rows = ORDERS * ROWS_PER_ORDER;
  const perSecond = (ms: number) => (rows / ms) * 1000;
  return [
    { name: 'orders, first load', value: perSecond(first), unit: 'rows/s' },
    { name: 'orders, unchanged again', value: perSecond(again), unit: 'rows/s' },
    { name: 'orders, one in ten changed', value: perSecond(changed), unit: 'rows/s' },
    { name: 'orders, unchanged again / first load', value: first / again, unit: 'x', bar: { atLeast: 2 } },
    { name: 'orders, rows rewritten by it', value: Math.max(...rewritten), unit: 'rows', bar: { below: 1 } },
    { name: 'orders, log of the first load', value: median(log.first) / rows, unit: 'bytes/row' },
    { name: 'orders, log of the unchanged load', value: median(log.again) / rows, unit: 'bytes/row' },
  ];
}

type Place = { brandId: string; connectionId: string };

async function everyPage(db: BenchDb, place: Place, pages: readonly string[]): Promise<void> {
  const { tables, dependents } = ordersStream;
  for (const page of pages) {
    const items = (JSON.parse(page) as Record<string, unknown>[]).map((node) => orderItem(node));
    await db.transaction((tx) => loadItems(tx, { ...place, tables, dependents, now: NOW }, items));
  }
}
