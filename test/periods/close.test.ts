/** Closing and reopening months: when it is refused, what it keeps, and that it is done once. */
import { expect, test } from 'vitest';
import { claimMarks } from '#sql/dirty/claim.ts';
import { closePeriod, freezePeriod } from '#sql/periods/close.ts';
import { rollups } from '#sql/rollups/index.ts';
import { runMarked } from '#sql/rollups/run.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction, untilSomebodyWaitsFor } from '../support/db/sessions.ts';
import { readToNow } from '../support/restatements.ts';
import { aBrand, aShop, type Shop } from '../support/rows/factory.ts';
import { aBooking, loadMoney } from '../support/rows/payments.ts';
import { bookedSums, closeAnyway, frozen, presentSums } from '../support/rows/periods.ts';
import { anOrder, loadOrders } from '../support/rows/raw_orders.ts';
import { placeOf, roll, rollBrand, rollDirty } from '../support/rows/rolled.ts';

type AShop = Shop & { db: TestDb };

const MAY = '2024-05-01';
const order = (id: string, day: string, total = '10.00', version = `${day}T12:00:00Z`) =>
  anOrder({ id, at: `${day}T12:00:00Z`, version, sales: [{ total, quantity: 1 }] });

/** Sales in April and May, and a booking in May. */
async function aSeller(db: TestDb): Promise<AShop> {
  const shop = { ...(await aShop(db)), db };
  await db.transaction((tx) =>
    loadMoney(tx, placeOf(shop), [aBooking({ id: 'txn_1', at: `${MAY}T12:00:00Z`, amount: '9.00' })]),
  );
  await roll(shop, { orders: [order('1', '2024-04-30'), order('2', MAY), order('3', '2024-05-31')] });
  await rollBrand(shop);
  return shop;
}

async function makeFinal(shop: AShop): Promise<void> {
  await readToNow(shop.db, shop.brand.id);
  await rollBrand(shop);
  await rollDirty(shop);
}

test('a month is closed by the command once it is over and final; twice changes nothing; the last one is reopened', async () => {
  await using db = await freshDb();
  const [shop, other] = [await aSeller(db), await aSeller(db)];
  const { slug, id: brandId } = shop.brand;
  const env = { DATABASE_URL: db.url };
  const cli = (...args: string[]) => nightshift(['periods', ...args, '--brand', slug], { env });
  expect((await cli('list')).stderr).toContain(`No month of ${slug} is closed`);
  for (const wrong of ['2024-13', '2024-5', '2024-05-01', 'may'])
    expect((await cli('close', wrong)).code).toBe(2);
  expect((await cli('show', '2024-05')).code).toBe(3);

  const refused = await cli('close', '2024-05');
  expect(refused).toMatchObject({ code: 4 });
  expect(refused.stderr).toMatch(/Not all of 2024-05 is final .*sales \(31 days from 2024-05-01, late: .+\)/);
  expect(refused.stderr).toContain(`npx nightshift why campaigns --brand ${slug} --day 2024-05-01`);
  await makeFinal(shop);
  const [thisMonth] = await db.column(
    "select to_char(now() at time zone time_zone, 'YYYY-MM') from app.brands where id = $1",
    [brandId],
  );
  for (const early of [String(thisMonth), '2999-01'])
    expect(await cli('close', early, '--anyway', 'I want to')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('is not over'),
    });

  const tried = await cli('close', '2024-05', '--dry-run');
  expect(tried).toMatchObject({ code: 0, stdout: expect.stringMatching(/Would close 2024-05 .* \d+ rows/) });
  expect(await frozen(db, brandId)).toEqual([]);
  const closed = await cli(
    'close',
    '2024-05',
    '--note',
    'sent to the auditor',
    '--anyway',
    'not needed',
    '--json',
  );
  expect(closed.json()).toMatchObject([
    { period: '2024-05', is_new: true, note: 'sent to the auditor', reason: null, not_final: null },
  ]);
  const stood = await frozen(db, brandId);
  expect(stood.length).toBeGreaterThan(0);
  const again = await cli('close', '2024-05');
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('is closed already') });
  for (const wrong of ['2024-04', '2024-07'])
    expect(await cli('close', wrong)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('one after the other'),
    });
  expect(await frozen(db, brandId)).toEqual(stood);
  expect(await cli('close', '2024-06')).toMatchObject({ code: 0 });

  await roll(shop, { orders: [order('2', MAY, '12.50', '2024-07-01T00:00:00Z')] });
  const shown = (await cli('show', '2024-05', '--json')).json()[0];
  const moved = { figure: 'daily_sales', column_name: 'gross_sales', currency: 'GBP' };
  expect(shown).toMatchObject({
    adds_up: true,
    columns: expect.arrayContaining([
      expect.objectContaining({ ...moved, closed: '20', adjusted: '2.5', present: '22.5' }),
    ]),
    adjustments: expect.arrayContaining([
      expect.objectContaining({
        ...moved,
        booked_in: `${thisMonth}-01`,
        difference: '2.5',
        cause: 'edited_order',
      }),
    ]),
  });
  const explained = await nightshift(
    ['explain', 'daily_sales', '--brand', slug, '--retailer', shop.retailer.slug, '--day', MAY],
    { env },
  );
  expect(explained.stdout).toMatch(/when 2024-05 was closed at \S+: orders 1, .*gross_sales 10/);
  expect((await cli('show', '2024-05')).stdout).toContain('daily_sales gross_sales (GBP) of');
  expect(await db.rows('select net_sales::text, booked_in::text from bi.sales_adjustments')).toEqual([
    { net_sales: '2.5', booked_in: `${thisMonth}-01` },
  ]);
  expect(
    await db.column('select sum(net_sales)::text from bi.closed_sales where period = $1', [MAY]),
  ).toEqual(['20']);

  expect((await cli('reopen', '2024-05', '--reason', 'an error')).stderr).toContain('Reopen that one first');
  for (const month of ['2024-06', '2024-05'])
    expect(await cli('reopen', month, '--reason', 'an error')).toMatchObject({ code: 0 });
  expect(await cli('reopen', '2024-05', '--reason', 'again')).toMatchObject({ code: 3 });
  expect(await db.column('select count(*) from bi.period_adjustments')).toEqual([0]);
  expect((await cli('list', '--json')).json()).toMatchObject([
    { period: '2024-06', state: 'reopened' },
    { period: '2024-05', state: 'reopened', reopened_reason: 'an error', adjustments: expect.any(Number) },
  ]);
  await makeFinal(shop);
  expect(await cli('close', '2024-05')).toMatchObject({ code: 0 });
  expect(await db.column('select sum(net_sales)::text from bi.closed_sales')).toEqual(['22.5']);
  expect(
    await db.rows(
      "select action, target, details from ops.audit_log where action like 'periods.%' order by id",
    ),
  ).toEqual([
    { action: 'periods.close', target: '2024-05', details: { note: 'sent to the auditor' } },
    { action: 'periods.close', target: '2024-06', details: {} },
    { action: 'periods.reopen', target: '2024-06', details: { reason: 'an error' } },
    { action: 'periods.reopen', target: '2024-05', details: { reason: 'an error' } },
    { action: 'periods.close', target: '2024-05', details: {} },
  ]);
  expect(
    await db.column('select count(*) from ops.period_closings where brand_id = $1', [other.brand.id]),
  ).toEqual([0]);
});

test('what is not final is closed for a reason, which is kept; what waits comes as an adjustment', async () => {
  await using db = await freshDb();
  const shop = await aSeller(db);
  const { id: brandId } = shop.brand;
  await db.transaction((tx) => loadOrders(tx, placeOf(shop), [order('4', MAY, '1.00')]));
  await closeAnyway(db, { brandId, period: MAY });
  expect(await db.rows('select reason, not_final from bi.closed_periods')).toMatchObject([
    {
      reason: 'the books must be closed',
      not_final: expect.arrayContaining([
        expect.objectContaining({
          source: 'sales',
          day: MAY,
          days: 31,
          state: 'late',
          cause: expect.any(String),
        }),
      ]),
    },
  ]);
  await rollDirty(shop);
  expect(await db.rows('select orders::int, net_sales::text from bi.sales_adjustments')).toEqual([
    { orders: 1, net_sales: '1' },
  ]);
});

test('a month before the first data is final once its sources are read, and not as long as they are not', async () => {
  await using db = await freshDb();
  const shop = { ...(await aShop(db)), db };
  const { id: brandId } = shop.brand;
  const close = () => closePeriod(db, { brandId, period: MAY });
  await expect(close()).rejects.toThrow(
    /sales \(31 days from 2024-05-01, .*: shopify\..* was never read to its end\)/,
  );
  await makeFinal(shop);
  expect(await close()).toMatchObject({ isNew: true, closing: { rows: 0 } });
});

test('a month without anything can be closed, and one of a brand without connections', async () => {
  await using db = await freshDb();
  const { id: brandId } = await aBrand(db);
  const { closing } = await closePeriod(db, { brandId, period: MAY });
  expect(closing).toMatchObject({ rows: 0, reason: null });
});

test('of two that close at once one does; a closing that breaks off leaves nothing', async () => {
  await using db = await freshDb();
  const shop = await aSeller(db);
  const { id: brandId } = shop.brand;
  const broken = db.transaction(async (tx) => {
    await freezePeriod(tx, { brandId, period: MAY, anyway: 'the year ends' });
    throw new Error('the process is gone');
  });
  await expect(broken).rejects.toThrow('gone');
  expect(await frozen(db, brandId)).toEqual([]);
  const both = await Promise.all([
    closeAnyway(db, { brandId, period: MAY }),
    closeAnyway(db, { brandId, period: MAY }),
  ]);
  expect(both.map(({ isNew }) => isNew).sort()).toEqual([false, true]);
  expect(both[0]?.closing).toEqual(both[1]?.closing);
});

test('a rollup and a closing wait for each other, so a change is frozen or booked, and never both or neither', async () => {
  await using db = await freshDb();
  const shop = await aSeller(db);
  const { id: brandId } = shop.brand;
  const change = (total: string, version: string) =>
    db.transaction((tx) => loadOrders(tx, placeOf(shop), [order('2', MAY, total, version)]));

  await using closing = await openTransaction(db);
  await change('11.00', '2024-07-01T00:00:00Z');
  await freezePeriod(closing.tx, { brandId, period: MAY, anyway: 'now' });
  const rolled = rollDirty(shop);
  await untilSomebodyWaitsFor(db, closing);
  await closing.commit();
  await rolled;
  expect(await db.column('select net_sales::text from bi.sales_adjustments')).toEqual(['1']);
  expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));

  await change('15.00', '2024-08-01T00:00:00Z');
  await using rolling = await openTransaction(db);
  const target = { brandId, retailerId: shop.retailer.id, now: new Date('2024-07-01T00:00:00Z') };
  const marks = await claimMarks(rolling.tx, brandId, shop.retailer.id, { days: 60, objects: 60 });
  await runMarked(rolling.tx, rollups, { ...target, marks });
  const june = { brandId, period: '2024-06-01' };
  await expect(closeAnyway(db, { ...june, waitSeconds: 1 })).rejects.toMatchObject({
    code: 'NS_PERIOD_BUSY',
  });
  const closed = closeAnyway(db, june);
  await untilSomebodyWaitsFor(db, rolling);
  await rolling.commit();
  await closed;
  expect(await db.column('select net_sales::text from bi.sales_adjustments order by booked_in')).toEqual([
    '4',
    '1',
  ]);
  expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));
});
