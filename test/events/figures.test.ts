/** Figures of experiments and scans, against cases that were computed by hand or are in textbooks. */
import { expect, test } from 'vitest';
import { freshDb } from '../support/db/db.ts';
import { anEvent, aSender } from '../support/events.ts';

const at = (hour: number) => new Date(Date.parse('2026-06-01T00:00:00Z') + hour * 3_600_000).toISOString();

test('a visitor counts once, for the variant seen first, if a conversion follows the exposure', async () => {
  await using db = await freshDb();
  const [sender, other] = [await aSender(db), await aSender(db)];
  const saw = (visitor: string, variant: string, hour: number) =>
    anEvent('exposure', { visitor, variant, happened_at: at(hour) });
  const did = (visitor: string, hour: number, experiment = 'button') =>
    anEvent('ab_conversion', { visitor, experiment, happened_at: at(hour) });
  const events = [
    ...[saw('v1', 'control', 1), did('v1', 30), did('v1', 31), saw('v1', 'control', 40)],
    ...[saw('v2', 'control', 2), did('v2', 1)], // before
    ...[saw('v3', 'b', 3), did('v3', 3)], // at once
    ...[saw('v4', 'b', 4), saw('v4', 'control', 28)], // both
    ...[saw('v5', 'b', 5), did('v5', 6, 'another')],
  ];
  for (const one of [sender, other]) {
    await one.send(events);
    await one.roll();
  }
  const columns = 'variant, is_control, exposed, converted, mixed';
  expect(await sender.figures('ab_tests', columns)).toEqual([
    { variant: 'b', is_control: false, exposed: 2, converted: 1, mixed: 1 },
    { variant: 'control', is_control: true, exposed: 2, converted: 1, mixed: 0 },
  ]);
  // Late: an exposure before the first one, on an earlier day, moves the visitor; a conversion counts on the first day.
  await sender.send([saw('v1', 'control', -5), did('v5', 70)]);
  expect(await db.column("select day from ops.marks where subject = 'exposures' order by day")).toEqual([
    ...['2026-05-31', '2026-06-01', '2026-06-02'],
  ]);
  await sender.roll();
  expect(await sender.figures('ab_tests', `${columns}, first_day::text`)).toEqual([
    { variant: 'b', is_control: false, exposed: 2, converted: 2, mixed: 1, first_day: '2026-06-01' },
    { variant: 'control', is_control: true, exposed: 2, converted: 1, mixed: 0, first_day: '2026-05-31' },
  ]);
  await sender.assertRebuilt();
  // A file of several batches marks each exposure, also of a visitor whom it has named before.
  await sender.sendBatches([[saw('v6', 'b', 6)], [did('v6', 7), saw('v6', 'control', -30)], [did('v6', 60)]]);
  expect(await db.column("select day from ops.marks where subject = 'exposures' order by day")).toEqual([
    ...['2026-05-30', '2026-06-01'],
  ]);
  await sender.roll();
  await sender.assertRebuilt();
});

// Agresti, An Introduction to Categorical Data Analysis, table 2.3 (Physicians' Health Study): 189 of 11,034 with placebo and
// 104 of 11,037 with aspirin had a heart attack. Rates 0.0171 and 0.0094, difference 0.0077 with the 95 % interval
// (0.005, 0.011), and X² = 25.01 = z².
test('the test of an experiment gives what a textbook has', async () => {
  await using db = await freshDb();
  const { brandId } = await aSender(db);
  await db.query(
    `insert into agg.daily_ab_tests values ($1, '2026-06-01', 'aspirin', 'control', 6000, 100, 1, now()),
       ($1, '2026-06-02', 'aspirin', 'control', 5037, 4, 0, now()), ($1, '2026-06-01', 'aspirin', 'placebo', 11034, 189, 0, now()),
       ($1, '2026-06-01', 'none', 'a', 10, 0, 0, now()), ($1, '2026-06-01', 'none', 'b', 10, 0, 0, now())`,
    [brandId],
  );
  const rows = await db.rows(
    `select variant, exposed, conversion_rate, difference, difference_low, difference_high, z, round(z * z, 2) as x2, p_value
     from bi.ab_tests order by experiment, variant`,
  );
  expect(rows).toMatchObject([
    { variant: 'control', exposed: 11_037, conversion_rate: '0.009423', difference: null, p_value: null },
    {
      ...{
        variant: 'placebo',
        conversion_rate: '0.017129',
        difference: '0.007706',
        difference_low: '0.004688',
      },
      ...{ difference_high: '0.010724', z: '5.0014', x2: '25.01', p_value: '0.000001' },
    },
    { variant: 'a', p_value: null },
    { variant: 'b', difference: '0.000000', p_value: null },
  ]);
  // From tables of the normal distribution.
  const tables = {
    0: '1.000000',
    0.5: '0.617075',
    1: '0.317311',
    1.959963984540054: '0.050000',
    2.5758293: '0.010000',
    3.2905267: '0.001000',
  };
  for (const [z, p] of Object.entries(tables)) {
    expect(await db.column('select fact.two_sided_p($1)', [z])).toEqual([p]);
    expect(await db.column('select fact.two_sided_p(-$1::numeric)', [z])).toEqual([p]);
  }
});

test('scans beyond the limit of a device and outside of the place of a code are told', async () => {
  await using db = await freshDb();
  const [sender, other] = [await aSender(db), await aSender(db)];
  await db.query(
    `insert into app.event_codes values ($1, 'box', 2, 52.52, 13.405, 10), ($1, '*', 1, null, null, null)`,
    [sender.brandId],
  );
  const scan = (visitor: string | null, more = {}) =>
    anEvent('scan', { visitor, retailer: 'uk', code: 'box', ...more });
  const events = [
    ...[scan('d1'), scan('d1', { latitude: 52.53, longitude: 13.41 }), scan('d1'), scan('d1')],
    ...[scan('d2', { latitude: 53.55, longitude: 9.993 }), scan(null), scan(null)], // Hamburg
    ...[scan('d1', { code: 'other' }), scan('d1', { code: 'other' })],
  ];
  for (const one of [sender, other]) {
    await one.send(events);
    await one.roll();
  }
  const columns =
    'code, scans, devices, unknown_devices, over_limit, outside, unplaced, is_over_limit, is_outside';
  const box = { code: 'box', scans: 7, devices: 2, unknown_devices: 2 };
  const fine = { over_limit: 0, outside: 0, unplaced: 0, is_over_limit: false, is_outside: false };
  expect(await sender.figures('daily_scans', columns)).toEqual([
    { ...box, over_limit: 2, outside: 1, unplaced: 5, is_over_limit: true, is_outside: true },
    {
      code: 'other',
      scans: 2,
      devices: 1,
      unknown_devices: 0,
      ...fine,
      over_limit: 1,
      is_over_limit: true,
    },
  ]);
  expect(await other.figures('daily_scans', columns)).toMatchObject([{ ...box, ...fine }, fine]);
  expect(await db.column('select round(fact.distance_km(52.52, 13.405, 53.55, 9.993))')).toEqual(['255']);
});
