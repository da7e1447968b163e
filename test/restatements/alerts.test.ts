/** Who is told of restatements: by an alert, on the command line, in the digest of the night. */
import { expect, test } from 'vitest';
import { readDigest } from '#sql/nights/digest.ts';
import { digestLines } from '#sql/nights/digest_lines.ts';
import { beginNight } from '#sql/nights/nights.ts';
import { watchFigures } from '#tasks/alerts/figure_alerts.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { readToNow } from '../support/restatements.ts';
import { aShop } from '../support/rows/factory.ts';
import { anOrder } from '../support/rows/raw_orders.ts';
import { roll, rollBrand, rollDirty } from '../support/rows/rolled.ts';

const DAY = '2024-05-01';
const order = { id: '1', at: `${DAY}T12:00:00Z`, sales: [{ total: '100.00', quantity: 1 }] };

test('net sales of a final day that move too far are alerted once, listed, in the digest, and forgotten after a day', async () => {
  await using db = await freshDb();
  const shop = { ...(await aShop(db)), db };
  const { id: brandId, slug } = shop.brand;
  const env = { DATABASE_URL: db.url };
  const cli = (...args: string[]) => nightshift(['restatements', ...args, '--brand', slug], { env });
  expect((await cli('list')).stderr).toContain('No figure of a final day');
  expect((await cli('alert')).stdout).toContain('Nobody is told');
  for (const wrong of [['0'], ['x'], ['5', '--none']]) expect((await cli('alert', ...wrong)).code).toBe(2);
  expect((await cli('alert', '5', '--json')).json()).toEqual([{ brand: slug, percent: '5' }]);

  await roll(shop, { orders: [anOrder(order)] });
  await readToNow(db, brandId);
  await rollBrand(shop);
  await rollDirty(shop);
  const now = new Date();
  const nightOf = (localDay: string) => db.transaction((tx) => beginNight(tx, { brandId, localDay, now }));
  await nightOf('2024-06-01');
  const night = await nightOf('2024-06-02');
  const edited = (total: string, version: string) =>
    roll(shop, { orders: [anOrder({ ...order, version, sales: [{ total, quantity: 1 }] })] });
  await edited('96.00', '2024-06-01T00:00:00Z'); // 4 percent
  expect(await db.column('select kind from ops.alerts')).toEqual([]);
  await edited('94.00', '2024-06-02T00:00:00Z'); // 6 percent in all
  await edited('93.00', '2024-06-03T00:00:00Z');
  const alerts = 'select kind, cause, hint, resolved_at is null as open from ops.alerts';
  expect(await db.rows(alerts)).toEqual([
    {
      kind: 'restatement',
      cause: `net sales of ${DAY} went from 100 to 94 GBP (6.0 %)`,
      hint: `npx nightshift restatements list --brand ${slug} --day ${DAY}`,
      open: true,
    },
  ]);

  const listed = (await cli('list', '--day', DAY, '--json')).json();
  expect(listed).toContainEqual(
    expect.objectContaining({
      figure: 'daily_sales',
      column_name: 'gross_sales',
      old_value: '96',
      new_value: '94',
      cause: 'edited_order',
    }),
  );
  expect((await cli('list')).stderr).toMatch(/npx nightshift jobs why \d+/);
  expect((await cli('list', '--since', '2199-01-01T00:00:00Z', '--json')).json()).toEqual([]);
  if (night === undefined) throw new Error('It began.');
  const lines = digestLines(await readDigest(db, night, now)).join('\n');
  expect(lines).toContain(' final figures changed since the night before: ');
  expect(lines).toContain(`net sales of ${DAY} changed by -7 GBP`);

  const tomorrow = new Date(now.getTime() + 25 * 3_600_000);
  await db.transaction((tx) => watchFigures(tx, { brandId, now: tomorrow }));
  expect(await db.rows(alerts)).toMatchObject([{ open: false }]);
});

test('sums that do not add up are alerted until they do', async () => {
  await using db = await freshDb();
  const shop = await aShop(db);
  const which = { brandId: shop.brand.id, now: new Date() };
  await db.query(
    `insert into ops.figure_checks (brand_id, rollup, day, currency, expected, found, checked_at)
                  values ($1, 'daily_campaigns', $2, 'GBP', 3, 4, now())`,
    [shop.brand.id, DAY],
  );
  const watch = () => db.transaction((tx) => watchFigures(tx, which));
  const alerts = () => db.rows('select kind, cause, resolved_at is null as open from ops.alerts');
  const cause = `daily_campaigns differs on 1 days from ${DAY} to ${DAY}`;
  for (let twice = 0; twice < 2; twice++) await watch();
  expect(await alerts()).toEqual([{ kind: 'figures', cause, open: true }]);
  await db.query('update ops.figure_checks set found = expected');
  await watch();
  expect(await alerts()).toEqual([{ kind: 'figures', cause, open: false }]);
});
