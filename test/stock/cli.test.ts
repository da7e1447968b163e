/** The command line of stock: what a person types, wrong things included. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';
import { aStore, sold } from '../support/stock.ts';

test('reorder points come from a file as a whole or not at all, and decide what is listed as low', async () => {
  await using db = await freshDb();
  const [store, other] = [await aStore(db), await aStore(db)];
  const cli = (words: string, input?: string) =>
    nightshift([...words.split(' '), '--brand', store.brand], {
      env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
      ...(input !== undefined && { input }),
    });
  const wrong = ['sku,quantity,retailer', 'SKU-7,5,uk', 'SKU-8,-1,uk', ',3,', 'SKU-7,5,uk', 'SKU-9,1,mars'];
  const refused = await cli('stock reorder import -', wrong.join('\n'));
  expect(refused.code).toBe(2);
  for (const said of ['line 3, quantity', 'line 4, sku', 'Nothing was stored'])
    expect(refused.stderr).toContain(said);
  const named = await cli('stock reorder import -', [wrong[0], wrong[1], wrong[4], wrong[5]].join('\r\n'));
  expect(named.stderr).toMatch(/line 3, sku: says the same .* as line 2.*line 4, retailer .?mars/s);
  for (const [file, said] of [
    ['', 'standard input cannot be taken: it is empty.'],
    ['\u0000\uFFFFsku', 'column'],
    ['sku;quantity\nSKU-7;5', 'with commas between them: sku,quantity,retailer'],
    ['sku,quantity\n,5', 'line 2, sku: is needed.\n'],
  ] as const)
    expect(await cli('stock reorder import -', file)).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining(said) },
    });
  expect((await cli('stock reorder import -', 'sku,quantity\n')).stdout).toContain('no lines below');
  expect(await db.column('select * from app.reorder_points')).toEqual([]);

  const right = '\uFEFFquantity,sku,retailer\n5,SKU-7,uk\n\n20,SKU-7,\n3,SKU-8,\n';
  expect((await cli('stock reorder import -', right)).stdout).toContain('Stored 3 lines of standard input.');
  expect((await cli('stock reorder import -', right)).stdout).toContain('nothing changes');
  expect((await cli('stock reorder set SKU-8 4')).stdout).toContain('SKU-8 is low at 4 or fewer.');
  const lines = async (words: string) =>
    (await cli(`${words} --json`)).stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  expect(await lines('stock reorder list')).toEqual([
    { sku: 'SKU-7', retailer: null, quantity: 20 },
    { sku: 'SKU-7', retailer: 'uk', quantity: 5 },
    { sku: 'SKU-8', retailer: null, quantity: 4 },
  ]);

  for (const { read, uk, ie, roll, orders } of [store, other]) {
    await read('7', { at: '2026-03-02T09:00:00Z', available: 6 }, uk);
    await read('8', { at: '2026-03-02T09:00:00Z', available: 4 }, uk);
    await read('7', { at: '2026-03-02T09:00:00Z', available: 6 }, ie);
    await orders([sold('1', '2026-03-03T09:00:00Z', '7', 6)], ie);
    await roll();
  }
  const low = (await lines('stock list --low')).map(({ retailer, sku, days_of_stock }) => [
    retailer,
    sku,
    days_of_stock,
  ]);
  expect(low).toEqual([
    ['ie', 'SKU-7', '28.0'],
    ['uk', 'SKU-8', null],
  ]);
  expect(await lines('stock list --retailer uk')).toHaveLength(2);
  expect((await cli('stock reorder remove SKU-8')).stdout).toContain('Removed');
  expect((await cli('stock reorder remove SKU-8')).stdout).toContain('nothing changes');
  expect((await cli('stock list --retailer mars')).code).toBe(3);
  expect((await cli('stock reorder set SKU-8 -- -4')).code).toBe(2);
});
