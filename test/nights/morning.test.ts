/** What an operator finds in the morning, of nights that nobody watched. */
import { expect, test } from 'vitest';
import { tasks } from '#tasks/index.ts';
import { addMissingDefaults } from '#workers/scheduler/defaults.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';
import { aShopOf } from '../support/providers/shopify.ts';
import { TEST_KEYS } from '../support/rows/factory.ts';
import {
  aNightlyBrand,
  aNightWorker,
  aReceiver,
  letNightsGoOn,
  look,
  untilNight,
  zoneAtHour,
} from '../support/schedules/nights.ts';

const shops = { acme: { token: 'shpat_acme', currency: 'USD', zone: 'UTC' } };
const show = (db: TestDb, slug: string) =>
  nightshift(['nights', 'show', '--brand', slug], { env: { DATABASE_URL: db.url } });

test('a key that is revoked in the night: one connection held, all others read, one alert, one group', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver();
  const [brand, other] = [await aNightlyBrand(db, zoneAtHour(12)), await aNightlyBrand(db, zoneAtHour(11))];
  await using revoked = brand.shop;
  await using _other = other.shop;
  await using sound = await aShopOf(db, { 'orders.ndjson': [] }, { scenario: { shops } }, brand.brandId);
  await db.query(`update app.brands set complete_by = '18:00'`);
  await revoked.faults({ kind: 'revoked_key', count: 0 });
  const webhook = { url: receiver.url, secret: 'a secret of sixteen characters' };
  await using _ = await aNightWorker(db, { webhook });
  const later = brand.twoOClock > other.twoOClock ? brand.twoOClock : other.twoOClock;
  await look(db, later);
  await untilNight(db, other, 'complete');
  await untilNight(db, brand, 'provisional');

  expect(await db.rows('select id, held_code from app.connections where held_at is not null')).toEqual([
    { id: revoked.connectionId, held_code: 'NS_CREDENTIALS_REJECTED' },
  ]);
  const read = `select p.last_success_at is not null as read from ops.positions p where connection_id = $1 and stream = 'shopify.orders'`;
  expect(await db.column(read, [sound.connectionId])).toEqual([true]);
  expect(await db.column(read, [other.shop.connectionId])).toEqual([true]);
  const env = { DATABASE_URL: db.url };
  const [group, ...more] = (await nightshift(['failures', 'list', '--json'], { env })).json() as {
    id: string;
  }[];
  expect(more).toEqual([]);
  expect(group).toMatchObject({
    brand: brand.slug,
    held: expect.any(Number),
    connections: 1,
    error_code: 'NS_CREDENTIALS_REJECTED',
  });
  const page = await show(db, brand.slug);
  expect(page.code).toBe(6);
  expect(page.stdout).toMatch(new RegExp(`held \\(job \\d+, failure ${group?.id}\\): .*refuses the key`));
  expect(page.stdout).toContain('next: Store a new key');
  expect((await show(db, other.slug)).code).toBe(0);

  await db.query(`update ops.nights set deadline_at = now() where state = 'provisional'`);
  await eventually(async () => {
    await letNightsGoOn(db);
    expect(receiver.taken).toHaveLength(1);
  });
  await untilNight(db, brand, 'provisional');
  expect(await db.rows('select brand_id, kind, resolved_at from ops.alerts')).toEqual([
    { brand_id: brand.brandId, kind: 'night', resolved_at: null },
  ]);
  expect(receiver.taken).toHaveLength(1);
});

test('`up` alone syncs each hour, runs the night of each brand at its 02:00, and has its digest', async () => {
  await using db = await freshDb();
  const brands = [await aNightlyBrand(db, zoneAtHour(4)), await aNightlyBrand(db, zoneAtHour(5))] as const;
  await using _one = brands[0].shop;
  await using _two = brands[1].shop;
  await addMissingDefaults(db, tasks);
  const HOURS = 4;
  const begin = `now() - interval '${HOURS} hours'`;
  await db.query(
    `update ops.schedules set decided_to = ${begin}, next_slot = ${begin} where brand_id is not null`,
  );
  await db.query(`create table public.clock as select ${begin} as at`);
  const env = {
    DATABASE_URL: db.url,
    NIGHTSHIFT_SECRET_KEYS: TEST_KEYS,
    NIGHTSHIFT_ECB_URL: 'http://127.0.0.1:9',
  };
  await using _up = runProgram('up.ts', [], { env });
  const slots = (name: string, brandId: string) =>
    db.rows(
      `select k.slot, k.outcome from ops.schedule_slots k join ops.schedules s on s.id = k.schedule_id
       where s.name = $1 and s.brand_id = $2 order by k.slot`,
      [name, brandId],
    );
  for (let hour = 1; hour <= HOURS; hour++) {
    await db.query(`update public.clock set at = at + interval '1 hour'`);
    await eventually(async () => {
      for (const { brandId } of brands) expect(await slots('sync', brandId)).toHaveLength(hour);
      expect(await db.column(`select count(*)::int from ops.jobs where task like 'sync_%'`)).toEqual([0]);
    });
  }
  for (const { brandId, twoOClock } of brands) {
    expect(await slots('nightly', brandId)).toEqual([{ slot: twoOClock, outcome: 'queued' }]);
    const outcomes = (await slots('sync', brandId)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(Array(HOURS).fill('queued'));
  }
  await db.query('delete from public.clock'); // it is now
  for (const { slug, day } of brands)
    await eventually(async () => {
      await db.query('update ops.nights set look_at = now() where look_at is not null');
      const { code, stdout } = await show(db, slug);
      expect(code, stdout).toBe(0);
      expect(stdout).toContain(`${slug}  ${day}  complete`);
      expect(stdout).toContain('10 USD net of 1 order');
    });
  const typed = `select action from ops.audit_log where action not in ('brands.add', 'retailers.add', 'connections.add')`;
  expect(await db.column(typed)).toEqual([]);
});
