/** What a dirty day costs must not depend on how long the history is. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollups } from '#sql/rollups/index.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aShop, type Shop } from '../support/rows/factory.ts';

type Plan = {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  Plans?: Plan[];
};

/** Every node of a plan. */
function nodes(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)];
}

const ofSales = rollups.filter(
  ({ reads, object }) =>
    !object &&
    reads.some((read) => read === 'fact.ledger' || (read.startsWith('fact.') && read.endsWith('sales'))),
);

const opened = new AsyncDisposableStack();
let db: TestDb;
let shop: Shop;
beforeAll(async () => {
  db = opened.use(await freshDb());
  shop = await aShop(db);
  const place = [shop.brand.id, shop.connection.id];
  const stamps = 'at, at, null';
  const orders = `(select n, '2024-01-01T12:00:00Z'::timestamptz + n / 10 * interval '1 day' as at
    from generate_series(0, 2999) n) o`;
  await db.query(
    `insert into raw.shopify_orders
     select $1, $2, n::text, '#', at, at, null, false, true, 'GBP', 'GBP', false, (n % 700)::text, 'GB', null, null,
       '{}', 1, 1, 0, jsonb_build_object('filler', repeat('x', 500)), ${stamps} from ${orders}`,
    place,
  );
  await db.query(
    `insert into raw.shopify_order_lines
     select $1, $2, n || 'l' || l, n::text, 'p', (n % 50)::text, null, 'T', null, 1, 1, false, 'GBP', 1, null, ${stamps}
     from ${orders}, generate_series(1, 6) l`,
    place,
  );
  await db.query(
    `insert into raw.shopify_sales
     select $1, $2, n || 's' || l, n::text, 'a', 'ORDER', at, 'ORDER', 'PRODUCT', n || 'l' || l, 1, 'GBP', 1, 0, 0, null,
       ${stamps} from ${orders}, generate_series(1, 6) l`,
    place,
  );
  await db.query('vacuum analyze');
});
afterAll(() => opened.disposeAsync());

// 300 days with 60 sales each: a plan that begins elsewhere than at the day's sales reads many more.
test.each(ofSales.map((rollup) => [rollup.name, rollup] as const))(
  '%s of one day reads the rows of that day, whatever else there is',
  async (_, { sql }) => {
    const values = [shop.brand.id, [shop.retailer.id], ['2024-05-05'], new Date(), [null], null, 0];
    const [plan] = await db.column(`explain (analyze, format json) ${sql}`, values);
    const [{ Plan: root }] = plan as [{ Plan: Plan }];
    const reads = nodes(root).filter((node) => node['Relation Name']?.startsWith('shopify_'));
    expect(reads.length).toBeGreaterThan(0);
    const rows = reads.map((node) => node['Actual Rows'] * node['Actual Loops']);
    expect(Math.max(...rows)).toBeLessThanOrEqual(60);
    const whole = reads.filter((node) => node['Node Type'] === 'Seq Scan' && node['Actual Loops'] > 0);
    // An empty table may be read whole: that is nothing.
    expect(whole.filter((node) => node['Actual Rows'] > 0)).toEqual([]);
  },
);
