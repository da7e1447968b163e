/**
 * Attribution of one large brand: a million orders and five million touches credited from nothing, beside the statement
 * that a careful analyst would write; and one late click, from its mark to the figures of the day.
 */
import { readFileSync } from 'node:fs';
import { claimMarks } from '../../sql/dirty/claim.ts';
import { rollups as all } from '../../sql/rollups/index.ts';
import { runMarked, runRollups } from '../../sql/rollups/run.ts';
import type { Figure } from '../support/bench.ts';
import { median, timed } from '../support/measure.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';

/** Smaller ones show the ratios of a smaller brand. */
const ORDERS = Number(process.env.NIGHTSHIFT_BENCH_ORDERS ?? 1_000_000);
const BATCH_DAYS = 60; // as the task rollup takes them
const LATE = 15;
const NOW = new Date('2026-11-21T00:00:00Z');
const credits = all.filter(({ name }) => name === 'order_credits');
const others = all.filter(({ name }) => name === 'order_days');
const ofBrand = all.filter(({ name }) => name === 'order_credits' || name === 'daily_campaigns');

type Year = { brandId: string; retailerId: string; mail: string; days: string[] };

export async function benchAttribution(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const sizes: Record<string, number> = { orders: ORDERS, clicks: ORDERS * 5, persons: ORDERS / 5 };
  const filled = sqlOf('../support/attribution.sql').replaceAll(/(?<!:):(\w+)/g, (_, name) =>
    String(sizes[name]),
  );
  await db.query(filled);
  await db.query('vacuum analyze');
  const year = await readYear(db);
  const orders = await timed(() =>
    inBatches(year, (days) => runAll(db, year, others, days, year.retailerId)),
  );
  await db.query('vacuum analyze agg.order_days');
  await db.query('create table public.plain_order_credits (like agg.order_credits including all)');
  const plain = await timed(() => db.query(sqlOf('../plain/order_credits.sql'), [year.brandId, NOW]));
  const ours = await timed(() => inBatches(year, (days) => runAll(db, year, credits, days, null)));
  await db.query('vacuum analyze agg.order_credits');
  await inBatches(year, (days) => runAll(db, year, ofBrand, days, null));
  // What the orders have marked is done by the statements above.
  await db.query('delete from ops.marks');
  await db.query('vacuum analyze');
  const late: number[] = [];
  for (let n = 0; n < LATE; n++) late.push(await lateClick(db, year, n));
  const { rows } = await db.query(`
    select (select count(*) from agg.order_credits) as n,
           (select count(*) from (select connection_id, order_id, campaign_id, touch from public.plain_order_credits
              except select connection_id, order_id, campaign_id, touch from agg.order_credits) d) as different`);
  return [
    { name: `credits of ${ORDERS} orders`, value: rows[0]?.n, unit: 'rows' },
    // Late clicks that decide an order are in one of the two only.
    {
      name: 'credits that differ from the plain insert',
      value: rows[0]?.different,
      unit: 'rows',
      bar: { below: LATE + 1 },
    },
    { name: 'orders summed up by day', value: orders / 1000, unit: 's' },
    { name: 'credited from nothing', value: ours / 1000, unit: 's', bar: { below: 90 } },
    { name: 'plain insert of the credits', value: plain / 1000, unit: 's' },
    { name: 'plain insert / credited from nothing', value: plain / ours, unit: 'x', bar: { atLeast: 1 } },
    { name: 'one late click, median', value: median(late), unit: 'ms', bar: { below: 50 } },
  ];
}

const sqlOf = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');

async function readYear(db: BenchDb): Promise<Year> {
  const { rows } = await db.query<Year>(`
    select b.id as "brandId", r.id as "retailerId", c.id as mail,
           array(select day::date::text from generate_series(timestamp '2025-01-01', '2026-01-01', '1 day') day) as days
    from app.brands b join app.retailers r on r.brand_id = b.id join app.connections c on c.brand_id = b.id and c.name = 'mail'`);
  const [year] = rows;
  if (year === undefined) throw new Error('There is no year to work on.');
  return year;
}

async function inBatches({ days }: Year, work: (days: string[]) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < days.length; at += BATCH_DAYS) await work(days.slice(at, at + BATCH_DAYS));
}

function runAll(
  db: BenchDb,
  { brandId }: Year,
  rollups: typeof all,
  days: string[],
  retailerId: string | null,
) {
  return db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId, days, now: NOW }));
}

/** A click, and the claims until nothing is left, as the job of the brand does it. */
async function lateClick(db: BenchDb, { brandId, mail }: Year, n: number): Promise<number> {
  await db.query(
    `with clicked as (
       insert into raw.sendgrid_events (brand_id, connection_id, id, event, happened_at, email_hash, clicker, categories, parts,
         single_send_id, is_machine, source, changed_at, seen_at)
       select brand_id, $2, 'late ' || id, 'click', processed_at - interval '1 second', person, person, '{}', '{}', 's0', false,
         'webhook', now(), now()
       from raw.shopify_orders where brand_id = $1 and id = $3 returning clicker
     )
     insert into ops.marks (brand_id, subject, object, marked_at) select $1, 'clicks', $2 || ' ' || clicker, now() from clicked`,
    [brandId, mail, String(ORDERS / 2 + n * 100)],
  );
  return timed(async () => {
    for (let left = true; left; ) {
      await db.transaction(async (tx) => {
        const marks = await claimMarks(
          tx,
          brandId,
          null,
          { days: 60, objects: 1_000 },
          { late: { days: ['order_credits'] }, rollups: ofBrand },
        );
        left = marks.length > 0;
        await runMarked(tx, ofBrand, { brandId, retailerId: null, marks, now: NOW });
      });
    }
  });
}
