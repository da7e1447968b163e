import { expect, test } from 'vitest';
import { sign } from '#tasks/deliver_alert.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aNightlyBrand, aNightWorker, aReceiver, look, untilNight } from '../support/schedules/nights.ts';

const show = (db: TestDb, ...args: string[]) =>
  nightshift(['nights', 'show', ...args, '--json'], { env: { DATABASE_URL: db.url } });

test('the night of each brand begins at its own 02:00, reads, computes and judges the day before', async () => {
  await using db = await freshDb();
  const tokyo = await aNightlyBrand(db, 'Asia/Tokyo');
  const london = await aNightlyBrand(db, 'Europe/London');
  await using _tokyoShop = tokyo.shop;
  await using _londonShop = london.shop;
  const [first, second] = [tokyo, london].sort((a, b) => a.twoOClock.getTime() - b.twoOClock.getTime());
  if (first === undefined || second === undefined) throw new Error('There are two.');
  await using _worker = await aNightWorker(db);
  await look(db, first.twoOClock);
  await untilNight(db, first, 'complete');
  expect(await db.column('select brand_id from ops.nights')).toEqual([first.brandId]);
  await look(db, second.twoOClock);
  await untilNight(db, second, 'complete');
  for (const { slug, day } of [first, second]) {
    const ran = await show(db, '--brand', slug);
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      ...{ brand: slug, day, state: 'complete' },
      digest: {
        is_final: true,
        sales: [{ currency: 'USD', orders: 1, net_sales: '10', band_low: '0', is_outside_band: true }],
        restated: [],
      },
    });
  }
});

test('a key that is refused leaves the day provisional, keeps nobody else waiting, and is alerted once', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using shop = brand.shop;
  await shop.faults({ kind: 'revoked_key', count: 0 });
  const secret = 'a secret of sixteen characters';
  await using _ = await aNightWorker(db, { webhook: { url: receiver.url, secret } });
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'provisional');
  const ran = await show(db, '--brand', brand.slug);
  expect(ran.code).toBe(6);
  expect(JSON.parse(ran.stdout).digest.connections).toMatchObject([{ state: 'held' }]);
  expect(receiver.taken).toEqual([]); // its deadline has not come
  await db.query('update ops.nights set deadline_at = now()');
  for (let n = 0; n < 3; n++) await untilNight(db, brand, 'provisional');
  await eventually(async () => expect(receiver.taken).toHaveLength(1));
  const [{ signature, body } = { signature: '', body: '' }] = receiver.taken;
  const [, at = '', v1 = ''] = /^t=(\d+),v1=(\w+)$/.exec(signature) ?? [];
  expect(v1).toBe(sign(secret, Number(at), body));
  expect(JSON.parse(body)).toMatchObject({ state: 'raised', brand: brand.slug });
  expect(await db.column('select count(*)::int from ops.alerts')).toEqual([1]);

  await shop.faults();
  await db.query('update app.connections set held_at = null, held_code = null, held_reason = null');
  await db.query('select ops.release_jobs(brand_id, id) from app.connections');
  await untilNight(db, brand, 'complete');
  await eventually(async () => expect(receiver.taken).toHaveLength(2));
  expect(JSON.parse(receiver.taken[1]?.body ?? '')).toMatchObject({ state: 'resolved' });
});

test('a night that nobody has had yet, or of another day, is not found', async () => {
  await using db = await freshDb();
  const ran = await show(db, '--date', '2026-01-01');
  expect([ran.code, JSON.parse(ran.stderr.trim()).error.code]).toEqual([3, 'NS_NIGHT_NOT_FOUND']);
});
