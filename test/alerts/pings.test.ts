import { expect, test } from 'vitest';
import { areAllNightsKept } from '#sql/alerts/pings.ts';
import { deliverAlert } from '#tasks/alerts/deliver_alert.ts';
import { pingNights, sendPing } from '#tasks/alerts/send_ping.ts';
import { startScheduler } from '#workers/scheduler/scheduler.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { aBrand, TEST_KEYS } from '../support/rows/factory.ts';
import { quiet, runTask } from '../support/run.ts';
import { aNightlyBrand, aNightWorker, aReceiver, look, untilNight } from '../support/schedules/nights.ts';
import { aSchedule, passAt, tasks } from '../support/schedules/schedule.ts';

const PATH = '/ping/0b5d-very-secret';

const setPing = (db: TestDb, slug: string, input: string, ...options: string[]) =>
  nightshift(['brands', 'set-ping', slug, ...options], {
    env: { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: TEST_KEYS },
    input,
  });

test('the address of a brand is told once its night is complete, and not while it is provisional', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using shop = brand.shop;
  await aBrand(db); // which has no nights, and keeps nobody from anything
  expect(await setPing(db, brand.slug, receiver.at(PATH))).toMatchObject({ code: 0 });
  await shop.faults({ kind: 'revoked_key', count: 0 });
  await using _ = await aNightWorker(db);
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'provisional');
  expect(receiver.taken).toEqual([]);
  await shop.faults();
  await db.query('update app.connections set held_at = null');
  await db.query('select ops.release_jobs(brand_id, id) from app.connections');
  await untilNight(db, brand, 'complete');
  await eventually(async () => expect(receiver.taken).toMatchObject([{ method: 'GET', path: PATH }]));
  await runTask(pingNights, {}, db, { services: { pings: { nights: receiver.at('/all') } } });
  expect(receiver.taken).toMatchObject([{ path: PATH }, { method: 'GET', path: '/all' }]);
  // Nobody who reads the database, its records or the log of what was done finds the address.
  const [all] = await db.column(
    `select concat((select string_agg(a::text, ' ') from ops.audit_log a), (select string_agg(r::text, ' ') from ops.job_runs r),
       (select string_agg(encode(p.address, 'escape'), ' ') from app.pings p))`,
  );
  expect(all).not.toContain('very-secret');
});

test('a word that comes too late is not said, and one that is refused is tried again without its address', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver(() => 302);
  const { id: brandId, slug } = await aBrand(db, { timeZone: 'UTC' });
  await setPing(db, slug, receiver.at(PATH));
  const night = (day: string, state: string) =>
    db.query(
      `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
       values ($1, $2, $3, now(), now(), now())`,
      [brandId, day, state],
    );
  await night('2026-03-01', 'complete');
  const ping = (day: string) => runTask(sendPing, { brandId, day }, db);
  await expect(ping('2026-03-01')).rejects.toMatchObject({ code: 'NS_DELIVERY_REFUSED', verdict: 'retry' });
  expect(receiver.taken.map(({ path }) => path)).toEqual([PATH]); // the redirect is not followed
  const [said] = await db.column('select r::text from ops.job_runs r');
  expect(said).toMatch(/answered 302/);
  expect(said).not.toContain('very-secret');
  const late = { skipped: 'a later night has begun, or is due' };
  await db.query("update app.brands set created_at = '2026-02-01'");
  await aSchedule(db, { expression: '0 2 * * *', at: '2026-03-02T03:00:00Z', brandId });
  await db.query("update ops.schedules set task = 'nightly'"); // the next one is due, but was not decided
  expect(await ping('2026-03-01')).toEqual(late);
  await db.query('delete from ops.schedules');
  await night('2026-03-02', 'provisional');
  expect(await ping('2026-03-01')).toEqual(late);
  expect(await ping('2026-03-02')).toEqual(late);
  expect(receiver.taken).toHaveLength(1);
});

test('all nights are kept only if of each brand the last slot whose deadline has passed has its night', async () => {
  await using db = await freshDb();
  const schedules = new Map<string, number>();
  for (const [slug, timeZone] of [
    ['tokyo', 'Asia/Tokyo'],
    ['london', 'Europe/London'],
  ] as const) {
    const { id: brandId } = await aBrand(db, { slug, timeZone });
    const schedule = { expression: '0 2 * * 1-5', at: '2026-03-01T00:00:00Z', timeZone: null, brandId };
    schedules.set(slug, await aSchedule(db, { ...schedule, excludedDays: ['2026-03-03'] }));
  }
  await db.query("update app.brands set created_at = '2026-03-01T12:00:00Z'");
  /** As after a scheduler's look at that instant; every slot is decided by then. */
  const kept = async (now: string, isLooked = true) => {
    await db.query("update ops.schedules set task = 'chime'");
    if (isLooked) for (const id of schedules.values()) await passAt(db, id, now);
    await db.query("update ops.schedules set task = 'nightly'");
    return areAllNightsKept(db, new Date(now));
  };
  const complete = (slug: string, day: string) =>
    db.query(
      `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
       select id, $2, 'complete', now(), now(), now() from app.brands where slug = $1`,
      [slug, day],
    );
  expect(await kept('2026-03-01T20:00:00Z')).toBe(true); // nothing is due of brands that are new
  expect(await kept('2026-03-01T21:30:00Z')).toBe(false); // Monday, 06:30 of Tokyo
  await complete('tokyo', '2026-03-01');
  expect(await kept('2026-03-01T21:30:00Z')).toBe(true);
  expect(await kept('2026-03-02T05:59:00Z')).toBe(true);
  expect(await kept('2026-03-02T06:00:00Z')).toBe(false);
  await complete('london', '2026-03-01');
  expect(await kept('2026-03-02T06:00:00Z')).toBe(true);
  expect(await kept('2026-03-03T12:00:00Z')).toBe(true); // an excluded day
  for (const slug of schedules.keys()) await complete(slug, '2026-03-05');
  expect(await kept('2026-03-08T12:00:00Z')).toBe(true); // Sunday: the last slot was on Friday
  expect(await kept('2026-03-09T12:00:00Z', false)).toBe(false); // nobody has decided Monday's
  await db.query("update ops.schedules set paused_at = '2026-03-08T13:00:00Z', paused_by = 'ann'");
  expect(await kept('2026-03-09T12:00:00Z')).toBe(false);
});

test('an address is https or of this machine, is read from no argument, and goes again', async () => {
  await using db = await freshDb();
  const { slug } = await aBrand(db);
  for (const wrong of [
    'http://watch.example/x',
    'https://user:pw@watch.example/',
    'ftp://127.0.0.1/',
    'nonsense',
    '',
  ]) {
    const ran = await setPing(db, slug, wrong);
    expect(ran.code, wrong).toBe(2);
    expect(ran.stderr).not.toContain('pw@');
  }
  const env = {
    DATABASE_URL: db.url,
    NIGHTSHIFT_SECRET_KEYS: TEST_KEYS,
    PING: `https://watch.example${PATH}`,
  };
  const set = await nightshift(['brands', 'set-ping', slug, '--url-env', 'PING'], { env });
  expect(set.stdout).toBe(
    `watch.example is told once the figures of a day of ${slug} are final, and not before.\n`,
  );
  const list = async () => (await nightshift(['brands', 'list', '--json'], { env })).json();
  expect(await list()).toMatchObject([{ has_ping: true }]);
  expect(await setPing(db, 'nobody', 'https://watch.example')).toMatchObject({ code: 3 });
  expect(await setPing(db, slug, '', '--none', '--url-env', 'PING')).toMatchObject({ code: 2 });
  expect(await setPing(db, slug, '', '--none')).toMatchObject({ code: 0 });
  expect(await list()).toMatchObject([{ has_ping: false }]);
  const wrong = await nightshift(['brands', 'list'], {
    env: { ...env, NIGHTSHIFT_PING_SCHEDULER_URL: 'http://watch.example/0b5d' },
  });
  expect(wrong).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('NIGHTSHIFT_PING_SCHEDULER_URL must be'),
  });
  expect(wrong.stderr).not.toContain('0b5d');
});

test('a scheduler tells that it looks, once and not each second, and says nothing while something is not served', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver();
  const broken = await aSchedule(db, { name: 'broken', expression: '0 * * * *', at: '2026-03-01T00:30:00Z' });
  await db.query(`update ops.schedules set expression = 'nonsense' where id = $1`, [broken]);
  let looks = 0;
  const clock = async () => {
    looks++;
    return new Date('2026-03-01T01:30:00Z');
  };
  await using _ = await startScheduler({ url: db.url, log: quiet, tasks, clock, ping: receiver.at(PATH) });
  await eventually(async () => expect(looks).toBeGreaterThan(2));
  expect(receiver.taken).toEqual([]);
  await db.query('delete from ops.schedules');
  await eventually(async () => expect(receiver.taken).toMatchObject([{ method: 'GET', path: PATH }]));
  const told = looks;
  await eventually(async () => expect(looks).toBeGreaterThan(told + 2));
  expect(receiver.taken).toHaveLength(1);
});

test('a scheduler says nothing while what it looks at each minute is not served', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver();
  await db.query('alter table ops.alerts rename to gone');
  let looks = 0;
  const clock = async () => {
    looks++;
    return new Date('2026-03-01T01:30:00Z');
  };
  const options = { url: db.url, log: quiet, clock, ping: receiver.at(PATH) };
  await using _ = await startScheduler({ ...options, tasks: [deliverAlert] });
  await eventually(async () => expect(looks).toBeGreaterThan(3));
  expect(receiver.taken).toEqual([]);
});
