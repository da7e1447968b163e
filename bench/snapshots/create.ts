/**
 * A snapshot of the year beside pg_dump of the same database on the same server, and the snapshot of the day after. Without a
 * pg_dump of the server's version there is nothing to compare with, and only our own figures are given.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Created } from '../../tasks/snapshots/create.ts';
import { localStore } from '../../tasks/snapshots/local_store.ts';
import { verifySnapshot } from '../../tasks/snapshots/verify.ts';
import type { Figure } from '../support/bench.ts';
import { compare, median, timed } from '../support/measure.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';
import { canDump, DUMP_LIMIT_MS, fillYear, keys, ROUNDS, run, snapshot } from './year.ts';

const RSS_EVERY_MS = 20;
const MB = 1_000_000;

export async function benchSnapshots(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await fillYear(db);
  await using opened = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-bench-snapshots-'));
  opened.defer(() => rm(dir, { recursive: true, force: true }));
  const hasDump = await canDump(server.version);
  const dump = (form: readonly string[]) => () =>
    timed(async () => {
      await rm(join(dir, 'dump'), { recursive: true, force: true });
      await run('pg_dump', [...form, '-f', join(dir, 'dump'), '-d', db.url], { timeout: DUMP_LIMIT_MS });
    });
  let first: Created | undefined;
  using memory = watchMemory();
  const ours = async () => {
    await rm(join(dir, 'store'), { recursive: true, force: true });
    await db.query('delete from ops.snapshots');
    return timed(async () => {
      first = await snapshot(db, join(dir, 'store'));
    });
  };
  const ways: Readonly<Record<string, () => Promise<number>>> = {
    ...(hasDump && { fd: dump(['-Fd', '-j', '2']), fc: dump(['-Fc']) }),
    ours,
  };
  const ms = await compare(ROUNDS, ways);
  if (first === undefined || ms.ours === undefined) throw new Error('No snapshot was made.');
  const { totals } = first.content;
  const figures: Figure[] = [
    { name: 'rows of the year', value: totals.rows, unit: 'rows' },
    { name: 'first snapshot', value: ms.ours / 1_000, unit: 's' },
    { name: 'first snapshot, speed', value: totals.bytes / MB / (ms.ours / 1_000), unit: 'MB/s' },
    { name: 'first snapshot, size', value: totals.stored_bytes / MB, unit: 'MB' },
    { name: 'memory of the process at most', value: memory.max() / MB, unit: 'MB' },
  ];
  if (ms.fc !== undefined && ms.fd !== undefined) {
    await dump(['-Fc'])();
    const { size } = await stat(join(dir, 'dump'));
    figures.push(
      { name: 'pg_dump -Fc', value: ms.fc / 1_000, unit: 's' },
      { name: 'pg_dump -Fd -j2', value: ms.fd / 1_000, unit: 's' },
      { name: 'pg_dump -Fc / first snapshot, time', value: ms.fc / ms.ours, unit: 'x', bar: { atLeast: 1 } },
      { name: 'pg_dump -Fd -j2 / first snapshot, time', value: ms.fd / ms.ours, unit: 'x' },
      {
        name: 'first snapshot / pg_dump, size',
        value: totals.stored_bytes / size,
        unit: 'x',
        bar: { below: 1.1 },
      },
    );
  }
  return [...figures, ...(await nextDays(db, join(dir, 'store'), ms.ours, totals.stored_bytes))];
}

/** Another snapshot with nothing changed, with the last days changed, and with rows of all months changed. */
async function nextDays(db: BenchDb, store: string, firstMs: number, firstBytes: number): Promise<Figure[]> {
  let made: Created | undefined;
  const again = () =>
    timed(async () => {
      made = await snapshot(db, store);
    });
  const fresh = () =>
    (made?.parts ?? []).filter(({ isNew }) => isNew).reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const days: { still: number; late: number }[] = [];
  let changed = 0;
  for (let day = 0; day < ROUNDS; day++) {
    const still = await again();
    changed = (await changeLast(db)).rows[0]?.n ?? 0;
    days.push({ still, late: await again() });
  }
  const still = median(days.map((day) => day.still));
  const late = median(days.map((day) => day.late));
  const lateBytes = fresh();
  await db.query(`update raw.shopify_sales set total_amount = total_amount + 1 where hashtext(id) % 100 = 0`);
  const spread = await again();
  const spreadBytes = fresh();
  const { id, brand_id: brandId } = made?.content ?? { id: '', brand_id: '' };
  const verified = await timed(() =>
    verifySnapshot({ db, store: localStore(store), sealer: keys, snapshot: { brandId, id }, level: 2 }),
  );
  return [
    { name: 'nothing changed, time of the first', value: still / firstMs, unit: 'x' },
    { name: 'rows changed, those of the last days', value: changed, unit: 'rows' },
    { name: 'last days changed, time of the first', value: late / firstMs, unit: 'x', bar: { below: 0.25 } },
    {
      name: 'last days changed, bytes of the first',
      value: lateBytes / firstBytes,
      unit: 'x',
      bar: { below: 0.05 },
    },
    { name: 'sales of every month changed, time of the first', value: spread / firstMs, unit: 'x' },
    { name: 'sales of every month changed, bytes of the first', value: spreadBytes / firstBytes, unit: 'x' },
    { name: 'verified at level 2', value: verified / 1_000, unit: 's' },
  ];
}

/** One in a hundred rows, as a day changes them: those of the latest orders, with a version of the next day. */
function changeLast(db: BenchDb) {
  return db.query<{ n: number }>(`
    with latest as (
      select brand_id, connection_id, id from raw.shopify_orders order by processed_at desc limit 260
    ), sales as (
      update raw.shopify_sales s set total_amount = total_amount + 1, changed_at = changed_at + interval '1 day'
      from latest l where s.brand_id = l.brand_id and s.connection_id = l.connection_id and s.order_id = l.id returning 1
    ), lines as (
      update raw.shopify_order_lines s set quantity = quantity + 1, changed_at = changed_at + interval '1 day'
      from latest l where s.brand_id = l.brand_id and s.connection_id = l.connection_id and s.order_id = l.id returning 1
    )
    select (select count(*) from sales) + (select count(*) from lines) as n`);
}

function watchMemory() {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, RSS_EVERY_MS);
  return { max: () => most, [Symbol.dispose]: () => clearInterval(timer) };
}
