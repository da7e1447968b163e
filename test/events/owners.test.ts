/** Events of who is removed or erased. */
import { expect, test } from 'vitest';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { env } from '../support/db/removal.ts';
import { tracesOf } from '../support/db/traces.ts';
import { anEvent, aSender } from '../support/events.ts';
import { askErasure } from '../support/privacy/ask.ts';
import { runTask } from '../support/run.ts';

test('a retailer that is removed takes its events, their ids and figures along, of days that are kept and before', async () => {
  await using db = await freshDb();
  const [sender, other] = [await aSender(db), await aSender(db)];
  const events = [
    anEvent('download', { id: '1', retailer: 'uk', happened_at: '2026-04-10T12:00:00Z' }),
    anEvent('download', { id: '2', retailer: 'uk', happened_at: '2026-06-10T12:00:00Z' }),
    anEvent('download', { id: '3', happened_at: '2026-06-10T12:00:00Z' }),
  ];
  for (const one of [sender, other]) {
    await one.send(events);
    await one.roll();
  }
  await db.query("update app.brands set events_from = '2026-05-01'");
  const remove = ['retailers', 'remove', 'uk', '--brand', sender.brand.slug, '--yes', 'uk'];
  expect(await nightshift(remove, { env: env(db) })).toMatchObject({ code: 0 });
  expect(await db.column('select task from ops.jobs where brand_id = $1', [sender.brandId])).toEqual([
    'rollup',
  ]);
  await sender.roll();
  expect(Object.keys(await tracesOf(db, sender.uk.id))).toEqual(['ops.audit_log']);
  expect(await db.column('select id from raw.event_ids where brand_id = $1', [sender.brandId])).toEqual([
    '3',
  ]);
  const assets = 'retailer, day::text, downloads';
  expect(await sender.figures('daily_assets', assets)).toEqual([
    { retailer: null, day: '2026-06-10', downloads: 1 },
  ]);
  expect(await other.figures('daily_assets', assets)).toHaveLength(3);
});

test('a person who is erased goes from events too, no figure moves, and later events are of the pseudonym', async () => {
  await using db = await freshDb();
  const [sender, other] = [await aSender(db), await aSender(db)];
  const events = [
    anEvent('page_view', { id: '1', visitor: 'Anna@example.com', asset: 'x' }),
    anEvent('page_view', { id: '2', visitor: 'other' }),
  ];
  for (const one of [sender, other]) {
    await one.send(events);
    await one.roll();
  }
  await db.query(
    `insert into raw.past_exposures (brand_id, visitor, experiment, happened_at)
     select brand_id, visitor, 'button', happened_at from raw.events where id = '1'`,
  );
  const visitors = () => db.rows('select brand_id, id, visitor from raw.events order by brand_id, id');
  const figures = () => sender.figures('daily_funnel', 'day::text, stage, events, visitors');
  const [before, counted] = [await visitors(), await figures()];
  const request = await askErasure(
    db,
    { brandId: sender.brandId, connectionId: null },
    { email: 'anna@example.com' },
  );
  await runTask(privacyErase, { brandId: sender.brandId, request }, db);
  const after = await visitors();
  const changed = after.filter((row, at) => row.visitor !== before[at]?.visitor);
  expect(changed).toEqual([expect.objectContaining({ brand_id: sender.brandId, id: '1' })]);
  const past = await db.column('select visitor from raw.past_exposures order by brand_id');
  expect(past).toEqual(after.filter(({ id }) => id === '1').map(({ visitor }) => visitor));
  await sender.roll();
  await sender.send([anEvent('page_view', { id: '3', visitor: 'anna@example.com' })]);
  await sender.roll();
  expect(await figures()).toEqual(counted.map((row) => ({ ...row, events: 3 })));
  expect(await sender.send(events.slice(0, 1))).toMatchObject({ known: 1, conflicts: [] });
});
