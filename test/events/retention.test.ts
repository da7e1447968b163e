/** Events go by age, their figures stay, and nothing that is too old comes back unnoticed. */
import { expect, test } from 'vitest';
import { retention } from '#tasks/retention.ts';
import { freshDb } from '../support/db/db.ts';
import { anEvent, aSender } from '../support/events.ts';
import { runTask } from '../support/run.ts';

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

test('events beyond what a brand keeps are deleted with their ids, figures stay and empty months are dropped', async () => {
  await using db = await freshDb();
  const [short, long] = [await aSender(db, 'UTC'), await aSender(db, 'UTC')];
  await db.query('update app.brands set events_days = 3650');
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
  await db.query('update app.brands set events_days = 400 where id = $1', [short.brandId]);
  const figures = () => short.figures('daily_assets', 'day::text, downloads');
  const before = await figures();
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 2 });
  await short.roll();
  const ids = 'select id from raw.event_ids where brand_id = $1 order by id';
  expect(await db.column(ids, [short.brandId])).toEqual(['new', 'x2']);
  expect(await db.column(ids, [long.brandId])).toEqual(['new', 'old', 'x1', 'x2']);
  expect(await figures()).toEqual(before);
  await short.roll(); // nothing is left
  const months = () => db.column("select count(*) from pg_inherits where inhparent = 'raw.events'::regclass");
  const [there] = await months();
  await expect(short.send(events, new Date())).rejects.toThrow('is older than the 400 days');

  await db.query('update app.brands set events_days = 400');
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 2 });
  expect(await months()).toEqual([Number(there) - 1]);
  expect(await runTask(retention, {}, db)).toMatchObject({ events: 0 });
  await long.roll();
  await long.assertRebuilt();
});
