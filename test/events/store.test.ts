/** Events are stored once, whatever is sent how often, and only what is new is computed again. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rollup } from '#tasks/rollup.ts';
import { freshDb } from '../support/db/db.ts';
import { anEvent, aSender, type Given, NOW } from '../support/events.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { runTask } from '../support/run.ts';

test('an event is stored once, in the month of its instant, and two brands may use the same ids', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSender(db), await aSender(db, 'America/New_York')];
  const events = [
    anEvent('page_view', { id: '1', happened_at: '2026-03-31T23:30:00Z' }), // the next day in London
    anEvent('page_view', {
      id: '2',
      happened_at: '2026-04-01T00:30:00+01:00',
      retailer: 'uk',
      asset: 'guide.pdf',
    }),
    anEvent('download', { id: '3', happened_at: '2026-05-01T00:00:00Z', retailer: 'uk', visitor: null }),
  ];
  for (const sender of [one, other]) {
    expect(await sender.send(events)).toEqual({ stored: 3, known: 0, conflicts: [] });
    await sender.roll();
  }
  expect(
    await db.rows('select tableoid::regclass::text as month, count(*) from raw.events group by 1 order by 1'),
  ).toEqual([
    { month: 'raw.events_2026_03', count: 4 },
    { month: 'raw.events_2026_05', count: 2 },
  ]);
  const funnel = 'retailer, day::text, stage, events, visitors';
  expect(await one.figures('daily_funnel', funnel)).toEqual([
    { retailer: 'uk', day: '2026-04-01', stage: 'page_view', events: 1, visitors: 1 },
    { retailer: null, day: '2026-04-01', stage: 'page_view', events: 1, visitors: 1 },
  ]);
  expect(await other.figures('daily_funnel', funnel)).toMatchObject([
    { day: '2026-03-31' },
    { day: '2026-03-31' },
  ]);
  const assets = 'retailer, day::text, asset, views, downloads, visitors';
  expect(await one.figures('daily_assets', assets)).toEqual([
    { retailer: 'uk', day: '2026-04-01', asset: 'guide.pdf', views: 1, downloads: 0, visitors: 1 },
    { retailer: 'uk', day: '2026-05-01', asset: 'guide.pdf', views: 0, downloads: 1, visitors: 0 },
  ]);

  // Again, some of it other, some new: only what is new is stored and marked.
  const again = [
    ...events.slice(0, 2),
    { ...events[2], asset: 'other.pdf' },
    anEvent('cart_add', { id: '4', happened_at: '2026-04-01T08:00:00Z' }),
    anEvent('cart_add', { id: '4', happened_at: '2026-04-02T08:00:00Z' }),
  ];
  expect(await one.send(again)).toEqual({
    ...{ stored: 1, known: 4 },
    conflicts: [
      { index: 2, id: '3' },
      { index: 4, id: '4' },
    ],
  });
  expect(await db.rows('select subject, day from ops.marks')).toEqual([
    { subject: 'events', day: '2026-04-01' },
  ]);
  await one.roll();
  expect(await one.send(again)).toMatchObject({ stored: 0, known: 5 });
  expect(await db.column('select count(*) from ops.marks')).toEqual([0]);
  await one.assertRebuilt();
  expect(await one.figures('daily_assets', assets)).toHaveLength(2);
});

test('nobody finds out from the rows who a visitor is, but the digest of an address is that of its person', async () => {
  await using db = await freshDb();
  const [one, other] = [await aSender(db), await aSender(db)];
  const events = [
    anEvent('page_view', { id: '1', visitor: 'device 7' }),
    anEvent('page_view', {
      id: '2',
      visitor: 'Anna@Example.com',
      properties: { note: 'call anna@example.com' },
    }),
    anEvent('page_view', { id: '3', visitor: 'anna@example.com' }),
  ];
  for (const sender of [one, other]) await sender.send(events);
  const rows = await db.rows<{ id: string; visitor: string }>(
    'select id, visitor, properties from raw.events order by id, brand_id',
  );
  expect(JSON.stringify(rows)).not.toMatch(/anna|device/i);
  const visitors = (id: string) => rows.filter((row) => row.id === id).map(({ visitor }) => visitor);
  expect(new Set(rows.map(({ visitor }) => visitor)).size).toBe(4);
  expect(visitors('2')).toEqual(visitors('3'));
  expect(visitors('1')).toEqual([
    expect.stringMatching(/^[0-9a-f]{32}$/),
    expect.stringMatching(/^[0-9a-f]{32}$/),
  ]);
});

test('events of a day on which the clock changes fall on its days, and late ones are counted', async () => {
  await using db = await freshDb();
  const sender = await aSender(db);
  const at = (happened_at: string) => anEvent('scan', { happened_at });
  await sender.send(
    ['2026-03-28T23:59:59Z', '2026-03-29T00:00:00Z', '2026-03-29T22:59:59.999Z', '2026-03-29T23:00:00Z'].map(
      at,
    ),
  );
  await sender.send([anEvent('cart_add', { happened_at: '2026-03-29T22:45:00Z' })]);
  await sender.roll();
  await sender.send([anEvent('cart_add', { happened_at: '2026-03-28T10:00:00Z', visitor: 'late' })]);
  expect(await sender.roll()).toMatchObject({ days: 1 });
  expect(await sender.figures('daily_funnel', 'day::text, events')).toEqual([
    { day: '2026-03-28', events: 1 },
    { day: '2026-03-29', events: 1 },
  ]);
});

const hours = fc.integer({ min: 0, max: 24 * 9 });
const sent = fc.record({
  id: fc.integer({ min: 1, max: 12 }),
  hours,
  kind: fc.constantFrom(
    'page_view',
    'cart_add',
    'conversion',
    'scan',
    'download',
    'exposure',
    'ab_conversion',
  ),
  retailer: fc.constantFrom('uk', 'ie', null),
  visitor: fc.constantFrom('v1', 'v2', 'v3'),
  what: fc.constantFrom('x', 'y'),
});

function made({
  id,
  hours,
  kind,
  retailer,
  visitor,
  what,
}: typeof sent extends fc.Arbitrary<infer T> ? T : never): Given {
  const more: Record<string, Given> = {
    conversion: { stage: what },
    scan: { code: what },
    download: { asset: what },
    page_view: { asset: what },
    exposure: { experiment: 'e', variant: what },
    ab_conversion: { experiment: 'e' },
  };
  const happened_at = new Date(Date.parse('2026-03-26T00:00:00Z') + hours * 3_600_000).toISOString();
  return { id: String(id), happened_at, kind, retailer, visitor, ...more[kind] };
}

test('whatever comes in whatever order, figures are as if they were made from nothing', async () => {
  await using db = await freshDb();
  const steps = fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.array(fc.array(sent, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 }),
      },
      { weight: 2, arbitrary: fc.constant('roll' as const) },
    ),
    { maxLength: 10 },
  );
  await assertHolds(
    fc.asyncProperty(steps, async (steps) => {
      const sender = await aSender(db);
      const first = new Map<unknown, Given>();
      for (const step of [...steps, 'roll' as const]) {
        if (step === 'roll') await sender.roll();
        else {
          const batches = step.map((batch) => batch.map(made));
          await sender.sendBatches(batches);
          for (const event of batches.flat()) if (!first.has(event.id)) first.set(event.id, event);
        }
      }
      await sender.assertRebuilt();
      const stored = await db.rows('select id, kind from raw.events where brand_id = $1 order by id', [
        sender.brandId,
      ]);
      expect(stored).toEqual(
        [...first.values()]
          .map(({ id, kind }) => ({ id, kind }))
          .toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1)),
      );
    }),
    inForm(12, 60),
  );
});

test('another zone moves the days of events', async () => {
  await using db = await freshDb();
  const sender = await aSender(db, 'UTC');
  await sender.send([anEvent('cart_add', { happened_at: '2026-06-01T23:30:00Z' })]);
  await sender.roll();
  const { changeTimeZone } = await import('#sql/tenants/brands.ts');
  await db.transaction((tx) =>
    changeTimeZone(tx, 'Europe/Paris', { brandId: sender.brandId, tables: [], now: NOW, actor: 'test' }),
  );
  await runTask(rollup, { brandId: sender.brandId, retailerId: null }, db);
  expect(await sender.figures('daily_funnel', 'day::text')).toEqual([{ day: '2026-06-02' }]);
});
