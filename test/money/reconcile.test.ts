import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { charge, NOW_SECONDS } from '../support/providers/stripe.ts';
import { anAccountOf } from '../support/providers/stripe_sync.ts';

const DAY = 86_400;

// Windows that are read side by side both list the whole second at their edge.
test('charges that share seconds at the edges of windows are counted once when they are reconciled', async () => {
  await using db = await freshDb();
  const charges = Array.from({ length: 420 }, (_, index) =>
    charge(`ch_${index}`, {
      created: NOW_SECONDS - 20 * DAY + Math.floor(index / 30) * DAY,
      amount: 100 + index,
    }),
  );
  await using account = await anAccountOf(db, { charges });
  await account.sync('charges');
  const tally = await account.sync('charges', { reconcile: true });
  expect(tally).not.toHaveProperty('incomplete');
  const sum = Array.from({ length: 420 }, (_, index) => 100 + index).reduce((all, one) => all + one, 0);
  expect(
    await db.rows(
      'select check_name as name, expected::float8, found::float8, ok from ops.completeness order by 1',
    ),
  ).toEqual([
    { name: 'listed charges of 35 days', expected: 420, found: 420, ok: true },
    { name: 'listed charges of 35 days in USD', expected: sum / 100, found: sum / 100, ok: true },
  ]);
});

test('a row that is not what it was stored as any more is found and mended, though its digest fits', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 3 * DAY;
  await using account = await anAccountOf(db, {
    charges: [charge('ch_1', { created }), charge('ch_2', { created })],
  });
  await account.sync('charges');
  await db.query("update raw.stripe_charges set amount = 99 where brand_id = $1 and id = 'ch_2'", [
    account.brandId,
  ]);
  const tally = await account.sync('charges', { reconcile: true });
  expect(tally).toMatchObject({
    repaired: 1,
    incomplete: expect.stringContaining('(listed 20, stored 109)'),
  });
  expect(await account.rows('charges', 'id, amount')).toEqual([
    { id: 'ch_1', amount: '10' },
    { id: 'ch_2', amount: '10' },
  ]);
  expect(await account.sync('charges', { reconcile: true })).not.toHaveProperty('incomplete');
});

test('a full sync believes no digest: it mends a row of any age', async () => {
  await using db = await freshDb();
  const created = NOW_SECONDS - 100 * DAY;
  await using account = await anAccountOf(db, { charges: [charge('ch_1', { created })] });
  await account.sync('charges');
  await db.query('update raw.stripe_charges set amount = 99 where brand_id = $1', [account.brandId]);
  expect(await account.sync('charges', { full: true })).toMatchObject({ changed: 1 });
  expect(await account.rows('charges', 'id, amount')).toEqual([{ id: 'ch_1', amount: '10' }]);
  expect(await account.sync('charges', { full: true })).toMatchObject({ changed: 0 });
});
