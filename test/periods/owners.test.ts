/** Closed figures of the brand that tell its retailers apart: whose they are, and that they go with their retailer. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { env } from '../support/db/removal.ts';
import { anEvent, aSender } from '../support/events.ts';
import { bookedSums, closeAnyway, presentSums } from '../support/rows/periods.ts';

test('figures with an owner are closed and adjusted as those of the retailer, and go with it', async () => {
  await using db = await freshDb();
  const [sender, other] = [await aSender(db), await aSender(db)];
  const download = (id: string, retailer?: string) =>
    anEvent('download', { id, ...(retailer && { retailer }), happened_at: '2026-04-10T12:00:00Z' });
  for (const one of [sender, other]) {
    await one.send([download('1', 'uk'), download('2')]);
    await one.roll();
    await closeAnyway(db, { brandId: one.brandId, period: '2026-04-01' });
    await one.send([download('3', 'uk'), download('4', 'uk'), download('5')]);
    await one.roll();
  }
  const { brandId } = sender;
  const downloads = (view: string, value: string, of = brandId) =>
    db.rows(
      `select retailer, ${value}::text as n from bi.${view}
       where brand_id = $1 and figure = 'daily_assets' and column_name = 'downloads' order by retailer`,
      [of],
    );
  const assertStored = async () => {
    expect(await downloads('closed_figures', 'closed_value')).toEqual([
      { retailer: 'uk', n: '1' },
      { retailer: null, n: '1' },
    ]);
    for (const one of [sender, other])
      expect(await bookedSums(db, one.brandId)).toEqual(await presentSums(db, one.brandId));
  };
  await assertStored();
  expect(await downloads('period_adjustments', 'difference')).toEqual([
    { retailer: 'uk', n: '2' },
    { retailer: null, n: '1' },
  ]);

  // As it was stored before.
  await db.query('update ops.closed_figures set retailer_id = null');
  await db.query('delete from ops.period_adjustments where retailer_id is null');
  await db.query('update ops.period_adjustments set retailer_id = null');
  await db.query(await readFile('sql/migrations/0058_closed_owners.sql', 'utf8'));
  await assertStored();

  const remove = ['retailers', 'remove', 'uk', '--brand', sender.brand.slug, '--yes', 'uk'];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  for (const table of ['closed_figures', 'closed_counts', 'period_adjustments', 'restatements'])
    expect(
      await db.column(
        `select count(*) from ops.${table} o where brand_id = $1 and o::text like '%' || $2 || '%'`,
        [brandId, sender.uk.id],
      ),
    ).toEqual([0]);
  await sender.roll();
  expect(await downloads('closed_figures', 'closed_value')).toEqual([{ retailer: null, n: '1' }]);
  expect(await bookedSums(db, brandId)).toEqual(await presentSums(db, brandId));
  expect(await downloads('closed_figures', 'closed_value', other.brandId)).toHaveLength(2);
});
