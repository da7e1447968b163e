/** The command line of rankings, and what operators change that ranks retailers anew. */
import { expect, test } from 'vitest';
import { storeSpend } from '#sql/campaigns/spend.ts';
import { rollup } from '#tasks/rollup.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { aBoard, type Board } from '../support/rankings.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';

const run = (db: TestDb, brand: string, words: string) =>
  nightshift([...words.split(' '), '--brand', brand], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
  });

async function aRankedBoard(db: TestDb): Promise<Board> {
  const board = await aBoard(db, ['a', 'b', 'c']);
  for (const [slug, april, may] of [
    ['a', '100', '60'],
    ['b', '20', '40'],
    ['c', '50', '50'],
  ] as const) {
    await board.sell('2026-04-10', slug, april);
    await board.sell('2026-05-05', slug, may);
  }
  await board.sell('2026-06-01', 'c', '1');
  await board.rank();
  return board;
}

const computed = ({ db, brandId }: Board) => runTask(rollup, { brandId, retailerId: null }, db);

test('the list shows the last month that is over, with reasons, or the period of a day', async () => {
  await using db = await freshDb();
  const { brand } = await aRankedBoard(db);
  const whole = await run(db, brand, 'rankings list');
  expect(whole.stderr).toContain(`${brand}, month 2026-05-01 to 2026-05-31, GBP`);
  expect(whole.stdout.split('\n').slice(0, 2)).toEqual([
    ['rank', 'retailer', 'grade', 'score', 'net_sales', 'growth', 'reasons'].join('\t'),
    ['1', 'a', 'B', '60.00', '60', '-40.00', 'net sales fell by 40.00 % against the month before'].join('\t'),
  ]);
  const weekly = (await run(db, brand, 'rankings list --period week --start 2026-06-03 --json')).json();
  expect(weekly).toMatchObject([
    { retailer: 'c', period_start: '2026-06-01', is_complete: false, needs_attention: false, reasons: [] },
  ]);
  expect((await run(db, brand, 'rankings list --period year')).code).toBe(2);
  expect((await run(db, 'nobody', 'rankings list')).code).toBe(3);
});

test('other weights rank every period anew, of this brand alone, and only what can count is taken', async () => {
  await using db = await freshDb();
  const [one, other] = [await aRankedBoard(db), await aRankedBoard(db)];
  const ranks = async (board: Board) =>
    (await board.rows('month', '2026-05-01', 'rank')).map(({ retailer, rank }) => `${rank} ${retailer}`);
  expect(await ranks(one)).toEqual(['1 a', '2 c', '3 b']);
  const set = await run(db, one.brand, 'rankings weights set growth=90.5 roi_percentage=0 --json');
  expect(set.json()).toMatchObject([
    { component: 'net_sales', weight: '30', usual: '30', set_by: 'usual' },
    { component: 'growth', weight: '90.5', usual: '20', set_by: 'brand' },
    { component: 'roi_percentage', weight: '0', set_by: 'brand' },
    ...[{}, {}, {}, {}, {}],
  ]);
  await computed(one);
  expect(await ranks(one)).toEqual(['1 b', '2 c', '3 a']);
  expect(await one.rows('month', '2026-04-01', 'components')).toContainEqual({
    retailer: 'a',
    components: { net_sales: { percentile: 100, weight: 30 } },
  });
  const again = await run(db, one.brand, 'rankings weights set growth=90.5');
  expect(again.stderr).toContain('hold already');
  expect(await computed(one)).toMatchObject({ days: 0, written: 0 });
  await run(db, one.brand, 'rankings weights set growth=usual');
  await computed(one);
  expect(await ranks(one)).toEqual(await ranks(other));

  const nothing =
    'net_sales growth roi_percentage conversion_rate open_rate click_rate engagement_rate asset_actions'
      .split(' ')
      .map((component) => `${component}=0`);
  for (const [given, says] of [
    ['size=3', 'there is no component size'],
    ['growth=101', 'growth=30'],
    ['growth=-1', 'growth=30'],
    ['growth=1 growth=2', 'twice'],
    [nothing.join(' '), 'no component would count'],
  ] as const) {
    const { code, stderr } = await run(db, one.brand, `rankings weights set ${given}`);
    expect([given, code, stderr]).toEqual([given, 2, expect.stringContaining(says)]);
  }
  expect(await db.column('select component from app.ranking_weights')).toEqual(['roi_percentage']);
});

test('a campaign is of a retailer or of all, and a retailer that goes leaves it, and its rank, to the others', async () => {
  await using db = await freshDb();
  const board = await aRankedBoard(db);
  const { brandId, brand } = board;
  await run(db, brand, 'campaigns add own --retailer b');
  const [campaignId] = await db.column('select id from app.campaigns');
  const row = {
    campaignId: String(campaignId),
    currency: 'GBP',
    source: 'ads',
    day: '2026-05-20',
    amount: '40',
  };
  await db.transaction((tx) => storeSpend(tx, { brandId, target: 'test', actor: 'test' }, [row]));
  const spent = async () => {
    await computed(board);
    const rows = await board.rows('month', '2026-05-01', 'spend, roi_percentage, retailers');
    return rows.map(({ retailer, spend, roi_percentage, retailers }) =>
      [retailer, spend, roi_percentage ?? '-', retailers].join(' '),
    );
  };
  expect((await spent()).sort()).toEqual(['a 0 - 3', 'b 40 -100.00 3', 'c 0 - 3']);
  await run(db, brand, 'campaigns edit own --retailer c');
  expect((await spent()).sort()).toEqual(['a 0 - 3', 'b 0 - 3', 'c 40 -100.00 3']);
  expect((await run(db, brand, 'campaigns show own --json')).json()).toMatchObject([{ retailer: 'c' }]);
  expect((await run(db, brand, 'campaigns edit own --retailer nobody')).code).toBe(3);

  await run(db, brand, 'retailers remove c --yes c');
  expect((await spent()).sort()).toEqual(['a 0 - 2', 'b 0 - 2']);
  expect((await run(db, brand, 'campaigns show own --json')).json()).toMatchObject([{ retailer: null }]);
});
