/** What each brand has by the clock from its beginning, in its zone, and the job that comes of it. */
import { expect, test } from 'vitest';
import { slotsOf } from '#sql/schedules/expression.ts';
import { tasks } from '#tasks/index.ts';
import { addDefaults } from '#workers/scheduler/defaults.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { aBrand, TEST_KEYS } from '../support/rows/factory.ts';

const ZONE = 'America/New_York';
const NIGHT = ['snapshot', 'snapshot-weekly', 'snapshot-expiry', 'retention-monthly'];

test('a brand gets its snapshots, their expiry and the retention of its rows, at hours of its zone', async () => {
  await using db = await freshDb();
  const brand = await aBrand(db, { slug: 'acme', timeZone: ZONE });
  const owner = { brandId: brand.id, connectionId: null };
  await db.transaction((tx) => addDefaults(tx, tasks, owner));
  expect(await db.transaction((tx) => addDefaults(tx, tasks, owner))).toBe(0);
  const found = await db.rows<{ name: string; task: string; expression: string }>(
    `select name, task, expression, payload, time_zone from ops.schedules
     where brand_id = $1 and name = any ($2) order by array_position($2, name)`,
    [brand.id, NIGHT],
  );
  expect(found).toEqual([
    { name: 'snapshot', task: 'snapshot', expression: '0 3 * * *', payload: {}, time_zone: null },
    {
      ...{ name: 'snapshot-weekly', task: 'snapshot', expression: '0 4 * * 0' },
      ...{ payload: { scope: 'aggregates' }, time_zone: null },
    },
    {
      name: 'snapshot-expiry',
      task: 'snapshot_expiry',
      expression: '0 5 * * *',
      payload: {},
      time_zone: null,
    },
    { name: 'retention-monthly', task: 'retention', expression: '0 6 1 * *', payload: {}, time_zone: null },
  ]);
  // The first of November 2026 is a Sunday, on which the clocks of the zone go back at 2.
  const next = ({ expression }: { expression: string }) =>
    slotsOf(expression, ZONE).after(new Date('2026-11-01T04:00:00Z'))?.toISOString();
  expect(found.map(next)).toEqual([
    ...['2026-11-01T08:00:00.000Z', '2026-11-01T09:00:00.000Z'],
    ...['2026-11-01T10:00:00.000Z', '2026-11-01T11:00:00.000Z'],
  ]);
  for (const name of NIGHT) {
    const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS };
    expect(await nightshift(['schedules', 'run', name, '--brand', 'acme'], { env })).toMatchObject({
      code: 0,
    });
  }
  expect(
    await db.rows(`select task, payload from ops.jobs where brand_id = $1 order by job_id`, [brand.id]),
  ).toEqual([
    { task: 'snapshot', payload: { brandId: brand.id } },
    { task: 'snapshot', payload: { brandId: brand.id, scope: 'aggregates' } },
    { task: 'snapshot_expiry', payload: { brandId: brand.id } },
    { task: 'retention', payload: { brandId: brand.id } },
  ]);
});
