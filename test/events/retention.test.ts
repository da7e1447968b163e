/** Events go by age, their figures stay, and nothing that is too old comes back unnoticed. */
import { expect, test } from 'vitest';
import { lockEvents } from '#sql/events/lock.ts';
import { changeTimeZone } from '#sql/tenants/brands.ts';
import { retention } from '#tasks/retention.ts';
import { freshDb } from '../support/db/db.ts';
import { anEvent, aSender, keepEvents } from '../support/events.ts';
import { runTask } from '../support/run.ts';

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

test('events beyond what a brand keeps are deleted with their ids, figures stay and empty months are dropped', async () => {
  await using db = await freshDb();
  const [short, long] = [await aSender(db, 'UTC'), await aSender(db, 'UTC')];
  await keepEvents(db, 3_650);
  const at = (days: number) => daysAgo(days).toISOString();
  const events = [
    anEvent('download', { id: 'old', happened_at: at(500), retailer: 'uk' }),
    anEvent('download', { id: 'new', happened_at: at(10) }),
    anEvent('exposure', { id: 'x1', happened_at: at(500) }),
    anEvent('exposure', { id: 'x2', happened_at: at(9) }),
  ];
  for (const one of [short, long]) {
    await one.send(events, new Date());
    await one.roll();
  }
  await keepEvents(db, 400, short.brandId);
  const figures = () => short.figures('daily_assets', 'day::text, downloads');
  const before = await figures();
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 2 });
  await short.roll();
  const ids = 'select id from raw.event_ids where brand_id = $1 order by id';
  expect(await db.column(ids, [short.brandId])).toEqual(['new', 'x2']);
  expect(await db.column(ids, [long.brandId])).toEqual(['new', 'old', 'x1', 'x2']);
  expect(await figures()).toEqual(before);

  // Who comes back is counted already.
  await short.send([anEvent('exposure', { id: 'x3', happened_at: at(8) })], new Date());
  await short.roll();
  expect(await short.figures('ab_tests', 'exposed')).toEqual([{ exposed: 1 }]);
  const months = () => db.column("select count(*) from pg_inherits where inhparent = 'raw.events'::regclass");
  const [there] = await months();
  await expect(short.send(events, new Date())).rejects.toThrow('is older than the 400 days');

  await keepEvents(db, 400);
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 2 });
  expect(await months()).toEqual([Number(there) - 1]);
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 0 });
  await long.roll();
  await long.assertRebuilt();
});

test('no day goes that is still to be computed, nor any beside an import', async () => {
  await using db = await freshDb();
  const sender = await aSender(db, 'UTC');
  const event = anEvent('download', { happened_at: daysAgo(20).toISOString() });
  await sender.send([event], new Date());
  await keepEvents(db, 10);
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 0 });
  await sender.roll();
  expect(await sender.figures('daily_assets', 'downloads')).toEqual([{ downloads: 1 }]);
  await db.transaction(async (tx) => {
    await lockEvents(tx, sender.brandId);
    expect(await runTask(retention, {}, db)).toMatchObject({ events: 0 });
  });
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 1 });
});

test('a zone that is changed and changed back leaves the first day where it was', async () => {
  await using db = await freshDb();
  const { brandId } = await aSender(db, 'Europe/London');
  await db.query("update app.brands set events_from = '2026-01-10T00:00:00Z' where id = $1", [brandId]);
  const first = () =>
    db.column('select fact.first_day_from(events_from, time_zone)::text from app.brands where id = $1', [
      brandId,
    ]);
  const days = [];
  for (const zone of ['Asia/Tokyo', 'America/New_York', 'Europe/London']) {
    const change = { brandId, tables: [], now: new Date(), actor: 'test' };
    await db.transaction((tx) => changeTimeZone(tx, zone, change));
    days.push(...(await first()));
  }
  expect(days).toEqual(['2026-01-11', '2026-01-10', '2026-01-10']);
});
