/** Bodies of deliveries go brand by brand; what one costs does not depend on what others have, or on what must stay. */
import { expect, test } from 'vitest';
import { BATCH_MAX } from '#sql/queue/retention.ts';
import { deleteOfBrand } from '#sql/retention/brand_records.ts';
import { retention } from '#tasks/retention.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { forgetStatistics, keepStatisticsAsTheyAre, visitsOf } from '../support/db/visits.ts';
import { type Place, twoBrands } from '../support/rows/two_brands.ts';
import { runTask } from '../support/run.ts';

type Some = { many: number; daysAgo: number; rowsOf?: string; relay?: string };

const deliver = (db: TestDb, { brandId, connectionId }: Place, { many, daysAgo, rowsOf, relay }: Some) =>
  db.query(
    `insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body, rows_of, relay, received_at)
     select $1, $2, gen_random_uuid(), 'x', '{}', '', $5, $6, now() - make_interval(days => $4)
     from generate_series(1, $3)`,
    [brandId, connectionId, many, daysAgo, rowsOf, relay],
  );
const left = (db: TestDb, { brandId }: Place) =>
  db.column('select count(*)::int from ops.webhook_deliveries where brand_id = $1', [brandId]);

test('a deletion reads what it deletes: neither what others have nor what is still to be loaded', async () => {
  await using db = await freshDb();
  const [one, other] = await twoBrands(db);
  await keepStatisticsAsTheyAre(db);
  await deliver(db, other, { many: 3_000, daysAgo: 20 });
  await deliver(db, one, { many: 3_000, daysAgo: 20, rowsOf: 'mail.events' });
  await deliver(db, one, { many: 3_000, daysAgo: 1 });
  await deliver(db, one, { many: 5, daysAgo: 9 });
  const work = { brandId: one.brandId, now: new Date(), after: 0 };
  const visits = () => visitsOf(db, (tx) => deleteOfBrand(tx, 'webhook_deliveries', work));
  await forgetStatistics(db);
  expect(await visits()).toBeLessThan(500);
  await db.query('analyze ops.webhook_deliveries');
  expect(await visits()).toBeLessThan(500);
});

test('each day, in batches, and what waits for a relay is looked at once', async () => {
  await using db = await freshDb();
  const [one, other] = await twoBrands(db);
  await deliver(db, one, { many: 2, daysAgo: 10, relay: 'waiting' });
  await deliver(db, one, { many: 1, daysAgo: 15, relay: 'waiting' });
  await deliver(db, one, { many: BATCH_MAX + 1, daysAgo: 9 });
  await deliver(db, other, { many: 1, daysAgo: 9 });
  const work = { brandId: one.brandId, now: new Date() };
  const batch = (after: number) =>
    db.transaction((tx) => deleteOfBrand(tx, 'webhook_deliveries', { ...work, after }));
  const first = await batch(0);
  expect(first).toMatchObject({ deleted: BATCH_MAX, isLast: false });
  // Those that wait are ten days old, the last that went nine.
  expect(Date.now() - first.after).toBeLessThan(9.5 * 86_400_000);
  expect(await runTask(retention, {}, db)).toMatchObject({ webhook_deliveries: 3 });
  expect(await left(db, one)).toEqual([2]);
  expect(await left(db, other)).toEqual([0]);
});
