/** Rankings of retailers, computed by hand. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { assertHolds } from '../support/property.ts';
import { aBoard } from '../support/rankings.ts';

test('sums are divided, percentiles weighed, and a missing component leaves its weight to the others', async () => {
  await using db = await freshDb();
  const [one, other] = [await aBoard(db, ['a', 'b', 'c']), await aBoard(db, ['a', 'b', 'c'])];
  for (const board of [one, other]) {
    const spring = await board.campaign('spring');
    const own = await board.campaign('own', 'b');
    for (const [slug, before, now] of [
      ['a', '100', '150'],
      ['b', '200', '100'],
      ['c', '50', '50'],
    ] as const) {
      await board.sell('2026-04-10', slug, before);
      await board.sell('2026-05-05', slug, now);
    }
    await board.sell('2026-06-01', 'a', '1'); // so May is over
    await board.mail('2026-05-06', 'a', [100, 40, 10]);
    await board.mail('2026-05-07', 'a', [300, 20, 2]);
    await board.mail('2026-05-07', 'b', [50, 30, 1]);
    // 20.00 for a and b, by 100 and 50; what the shared campaign is to c is below zero.
    await board.credit('2026-05-05', 'a', spring, [3, '100']);
    await board.credit('2026-05-05', 'b', spring, [1, '50']);
    await board.credit('2026-05-05', 'c', spring, [0, '-10']);
    await board.spend('2026-05-02', spring, '20');
    await board.spend('2026-05-03', own, '60');
  }
  await one.rank();
  const columns = `net_sales, previous_net_sales, growth, attributed_orders, attributed_revenue, spend, roi_percentage, open_rate,
    click_rate, conversion_rate, engagement_rate, score, rank, retailers, grade, is_complete, needs_attention, is_top_performer`;
  const rest = { engagement_rate: null, retailers: 3, is_complete: true };
  expect(await one.rows('month', '2026-05-01', columns)).toEqual([
    {
      ...{ retailer: 'a', net_sales: '150', previous_net_sales: '100', growth: '50.00' },
      ...{ attributed_orders: 3, attributed_revenue: '100', spend: '13.33', roi_percentage: '650.19' },
      ...{ open_rate: '0.1500', click_rate: '0.0300', conversion_rate: '0.0075', ...rest },
      // 100 × 30 + 100 × 20 + 100 × 15 + 0 × 10 + 0 × 5 + 100 × 10, by 90
      ...{ score: '83.33', rank: 1, grade: 'A', needs_attention: false, is_top_performer: true },
    },
    {
      ...{ retailer: 'b', net_sales: '100', previous_net_sales: '200', growth: '-50.00' },
      ...{ attributed_orders: 1, attributed_revenue: '50', spend: '66.67', roi_percentage: '-25.00' },
      ...{ open_rate: '0.6000', click_rate: '0.0200', conversion_rate: '0.0200', ...rest },
      // 50 × 30 + 0 × 20 + 0 × 15 + 100 × 10 + 100 × 5 + 0 × 10, by 90
      ...{ score: '33.33', rank: 2, grade: 'D', needs_attention: true, is_top_performer: false },
    },
    {
      ...{ retailer: 'c', net_sales: '50', previous_net_sales: '50', growth: '0.00' },
      ...{ attributed_orders: 0, attributed_revenue: '-10', spend: '0', roi_percentage: null },
      ...{ open_rate: null, click_rate: null, conversion_rate: null, ...rest },
      // 0 × 30 + 50 × 20, by 50
      ...{ score: '20.00', rank: 3, grade: 'D', needs_attention: false, is_top_performer: false },
    },
  ]);
  expect(await other.rows('month', '2026-05-01', 'rank')).toEqual([]);
});

test('a period is compared with the one before: whole ones whole, one under way by as many days', async () => {
  await using db = await freshDb();
  const board = await aBoard(db, ['a', 'b']);
  // The ISO week of the new year begins on 2025-12-29; nothing is sold in February.
  await board.sell('2025-12-22', 'a', '100');
  await board.sell('2025-12-30', 'a', '60');
  await board.sell('2026-01-02', 'a', '30');
  await board.sell('2026-01-02', 'b', '8');
  await board.sell('2026-03-10', 'a', '50');
  await board.rank();
  const columns = 'net_sales, previous_net_sales, growth, is_complete, needs_attention, reasons';
  const calm = { needs_attention: false, reasons: [] };
  const week = await board.rows('week', '2025-12-29', columns);
  expect(week).toEqual([
    {
      ...{ retailer: 'a', net_sales: '90', previous_net_sales: '100', growth: '-10.00', is_complete: true },
      ...{ needs_attention: false, reasons: ['rank 1 of 2 with a score of 80.00'] },
    },
    {
      ...{ retailer: 'b', net_sales: '8', previous_net_sales: '0', growth: null, is_complete: true },
      ...{ needs_attention: true, reasons: ['the score of 0.00 is below 20'] },
    },
  ]);
  const fallen = ['net sales fell by 100.00 % against the month before'];
  const silent = {
    net_sales: '0',
    growth: '-100.00',
    is_complete: true,
    needs_attention: true,
    reasons: fallen,
  };
  expect(await board.rows('month', '2026-02-01', columns)).toEqual([
    { retailer: 'a', previous_net_sales: '30', ...silent },
    { retailer: 'b', previous_net_sales: '8', ...silent },
  ]);
  // Nobody has sold in February; the week after the last day with sales, and April, have not begun.
  const march = {
    retailer: 'a',
    net_sales: '50',
    previous_net_sales: '0',
    growth: null,
    is_complete: false,
    ...calm,
  };
  expect(await board.rows('month', '2026-03-01', columns)).toEqual([march]);
  expect(await board.rows('month', '2026-04-01', columns)).toEqual([]);

  // April has twelve days yet, so the thirteenth of March does not count. A period under way needs no attention.
  await board.sell('2026-03-13', 'a', '900');
  await board.sell('2026-04-12', 'a', '25');
  await board.rank();
  expect(await board.rows('month', '2026-03-01', columns)).toEqual([
    { ...march, net_sales: '950', is_complete: true },
  ]);
  expect(await board.rows('month', '2026-04-01', columns)).toEqual([
    { ...march, net_sales: '25', previous_net_sales: '50', growth: '-50.00' },
  ]);
});

test('a sale that is dated in the future ends a period once its day has come', async () => {
  await using db = await freshDb();
  const board = await aBoard(db, ['a']);
  for (const day of ['2026-10-20', '2026-11-01', '2026-11-03', '2062-05-05'])
    await board.sell(day, 'a', '10');
  const periods = () =>
    db.rows(
      `select period, day::text, is_complete, net_sales::text, previous_net_sales::text
       from agg.retailer_rankings where brand_id = $1 order by period, day`,
      [board.brandId],
    );
  const complete = () =>
    db.column(
      `select period || ' ' || day from agg.retailer_rankings where brand_id = $1 and is_complete
       order by period, day`,
      [board.brandId],
    );
  await board.rank({ now: new Date('2026-11-01T12:00:00Z') });
  expect(await complete()).toEqual([
    'day 2026-10-20',
    'day 2026-10-21',
    'month 2026-10-01',
    'week 2026-10-19',
  ]);

  // Only the next sale is marked: what it finds is what a rebuild finds.
  const now = new Date('2026-11-10T12:00:00Z');
  await board.sell('2026-11-10', 'a', '10');
  await board.rank({ of: ['2026-11-10'], now });
  expect(await complete()).toEqual(expect.arrayContaining(['day 2026-11-01', 'day 2026-11-03']));
  const marked = await periods();
  expect(marked.length).toBeLessThan(40);
  await db.query('delete from agg.retailer_rankings where brand_id = $1', [board.brandId]);
  await board.rank({ now });
  expect(marked).toEqual(await periods());
});

test('currencies are added in that of the brand, each day at its rate; without a rate nothing is guessed', async () => {
  await using db = await freshDb();
  const board = await aBoard(db, ['a', 'b', 'c'], 'JPY');
  const spring = await board.campaign('spring');
  await board.sell('2026-05-01', 'a', '10.50', 'GBP', '190.123'); // 1,996.29 yen
  await board.sell('2026-05-01', 'a', '3', 'EUR', '160');
  await board.sell('2026-05-02', 'a', '10.50', 'GBP', '191');
  await board.sell('2026-05-01', 'b', '1', 'GBP', '190.123');
  await board.sell('2026-05-02', 'b', '5', 'CHF', null);
  await board.sell('2026-05-02', 'c', '-7');
  await board.mail('2026-05-02', 'b', [10, 1, 0]);
  await board.use('2026-05-02', 'a', 4);
  await board.use('2026-05-02', 'b', 9);
  await board.credit('2026-05-02', 'a', spring, [1, '1'], '100');
  await board.credit('2026-05-02', 'b', spring, [1, '1'], null);
  await board.spend('2026-05-02', spring, '100');
  await board.rank();
  const columns = 'net_sales, fx_cause, spend, roi_percentage, score, grade, rank, reasons, components';
  const week = await board.rows('week', '2026-04-27', columns);
  const component = (percentile: number, weight: number) => ({ percentile, weight });
  expect(week).toEqual([
    {
      ...{ retailer: 'a', net_sales: '4482', fx_cause: null, spend: null, roi_percentage: null },
      ...{ score: '85.71', grade: 'A', rank: 1, reasons: ['rank 1 of 3 with a score of 85.71'] },
      components: { net_sales: component(100, 30), asset_actions: component(0, 5) },
    },
    {
      ...{ retailer: 'b', net_sales: null, fx_cause: 'no_rate', spend: null, roi_percentage: null },
      ...{ score: '58.33', grade: 'C', rank: 2, reasons: [] },
      components: {
        ...{ open_rate: component(50, 5), click_rate: component(50, 10) },
        ...{ conversion_rate: component(50, 10), asset_actions: component(100, 5) },
      },
    },
    {
      ...{ retailer: 'c', net_sales: '-7', fx_cause: null, spend: '0', roi_percentage: null },
      ...{ score: '0.00', grade: 'F', rank: 3, components: { net_sales: component(0, 30) } },
      reasons: ['the score of 0.00 is below 20', 'more came back than was sold: net sales -7 JPY'],
    },
  ]);
});

test('equal scores share a rank, whatever the order and the ids of what is ranked', async () => {
  await using db = await freshDb();
  const amount = fc.constantFrom('-5', '0', '10', '20', '30');
  const figures = fc.record({
    before: amount,
    now: amount,
    opens: fc.nat(3),
    spend: fc.constantFrom('0', '7'),
  });
  const property = fc.asyncProperty(fc.array(figures, { minLength: 1, maxLength: 6 }), async (given) => {
    const all = given.map((figure, n) => ({ slug: `r${n}`, ...figure }));
    const found = [];
    for (const some of [all, all.toReversed()]) {
      const board = await aBoard(
        db,
        some.map(({ slug }) => slug),
      );
      for (const { slug, before, now, opens, spend } of some) {
        await board.sell('2026-05-01', slug, before);
        await board.sell('2026-05-02', slug, now);
        await board.mail('2026-05-02', slug, [3, opens, 0]);
        if (spend !== '0') await board.spend('2026-05-02', await board.campaign(slug, slug), spend);
      }
      await board.rank();
      const rows = await board.rows('day', '2026-05-02', 'score, rank, grade, components, reasons');
      const scores = rows.map(({ score }) => Number(score));
      // 1, 2, 2, 4: as many are before each as have more.
      expect(rows.map(({ rank }) => rank)).toEqual(
        scores.map((score) => 1 + scores.filter((other) => other > score).length),
      );
      found.push(rows);
    }
    expect(found[1]).toEqual(found[0]);
  });
  await assertHolds(property, 12);
});
