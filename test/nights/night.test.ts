import { expect, test } from 'vitest';
import { sign } from '#tasks/alerts/deliver_alert.ts';
import { nightly } from '#tasks/nightly.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { eventually } from '../support/eventually.ts';
import { aBrand } from '../support/rows/factory.ts';
import { runTask } from '../support/run.ts';
import {
  aNightlyBrand,
  aNightWorker,
  aReceiver,
  letNightsGoOn,
  look,
  untilNight,
  zoneAtHour,
} from '../support/schedules/nights.ts';

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
        restatements: { cells: 0, causes: [], largest: [] },
      },
    });
    // Its sales are complete, so it is forecast, or said that they are too few.
    await eventually(async () =>
      expect(
        await db.rows(
          `select made_on - 1 as day, cause from bi.forecast_quality where brand = $1 and currency = 'USD'`,
          [slug],
        ),
      ).toEqual([{ day, cause: 'short_history' }]),
    );
  }
});

test('a key that is refused leaves the day provisional, keeps nobody else waiting, and is alerted once', async () => {
  await using db = await freshDb();
  await using receiver = await aReceiver();
  const brand = await aNightlyBrand(db, zoneAtHour(12));
  await using shop = brand.shop;
  await db.query(`update app.brands set complete_by = '18:00'`);
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
  // A look that was under way may have seen the old deadline, so one after it has to come.
  await eventually(async () => {
    await letNightsGoOn(db);
    expect(receiver.taken).toHaveLength(1);
  });
  for (let n = 0; n < 3; n++) await untilNight(db, brand, 'provisional');
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

test('a night whose figures are late ends with 6, and nights of a brand that nobody has with 3', async () => {
  await using db = await freshDb();
  const { id, slug } = await aBrand(db);
  await db.query(
    `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
     values ($1, '2026-03-01', 'syncing', now(), now(), now() + interval '1 hour')`,
    [id],
  );
  expect((await show(db, '--brand', slug)).code).toBe(0);
  for (const state of ['syncing', 'computing']) {
    await db.query("update ops.nights set state = $1, deadline_at = now() - interval '1 minute'", [state]);
    expect((await show(db, '--brand', slug)).code).toBe(6);
  }
  const list = (brand: string) =>
    nightshift(['nights', 'list', '--brand', brand], { env: { DATABASE_URL: db.url } });
  expect([(await list(slug)).code, (await list('typo')).code]).toEqual([0, 3]);
});

test('an account that never had a row, and fails, keeps the day from being final', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using shop = brand.shop;
  await shop.serve(
    { 'orders.ndjson': [] },
    { scenario: { shops: { acme: { token: 'shpat_acme', currency: 'USD', zone: 'UTC' } } } },
  );
  await using _ = await aNightWorker(db);
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'complete'); // nothing was sold, and that is proven
  await db.query(`update app.connections set held_at = now(), held_reason = 'a test'`);
  await db.query(`update ops.positions set complete_to = now() - interval '9 days'`);
  await db.query('delete from ops.nights');
  await db.query(`update ops.schedules set decided_to = $1, next_slot = $2 where name = 'nightly'`, [
    new Date(brand.twoOClock.getTime() - 3_600_000),
    brand.twoOClock,
  ]);
  await db.query('delete from ops.schedule_slots');
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'provisional');
  // Nor does it become final as days pass.
  await db.query('delete from ops.night_jobs');
  await db.query('update ops.nights set day = day - 3');
  await untilNight(db, brand, 'provisional');
  await db.query('update ops.positions set complete_to = now()');
  await untilNight(db, brand, 'complete');
});

test('a night that is complete stays so, and a second run of it asks nobody', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  await using _ = await aNightWorker(db);
  await look(db, brand.twoOClock);
  await untilNight(db, brand, 'complete');
  const before = await db.rows('select completed_at, judged_at from ops.nights');
  const [localDay] = await db.column('select day + 1 from ops.nights');
  expect(await runTask(nightly, { brandId: brand.brandId, localDay: String(localDay) }, db)).toMatchObject({
    step: 'complete',
  });
  expect(await db.rows('select completed_at, judged_at from ops.nights')).toEqual(before);
});

test('who runs a night by hand is told which step it took, and that a complete one stays so', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  await using _ = await aNightWorker(db);
  const line = ['schedules', 'run', 'nightly', '--brand', brand.slug, '--wait'];
  const run = () => nightshift(line, { env: { DATABASE_URL: db.url } });
  const night = `The night of \\S+ of ${brand.slug}`;
  expect((await run()).stderr).toMatch(
    new RegExp(`${night} is syncing and waits for \\d+ jobs?; .*nights show`),
  );
  await untilNight(db, brand, 'complete');
  expect(await run()).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      new RegExp(`${night} is complete already, .* sync run --brand ${brand.slug}`),
    ),
  });
});

test('a run that comes while the syncs are still at work waits on, and computes nothing', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  const payload = { brandId: brand.brandId, localDay: await localDayOf(db) };
  expect(await runTask(nightly, payload, db)).toMatchObject({ step: 'syncing' });
  expect(await runTask(nightly, payload, db)).toMatchObject({ step: 'syncing' });
  expect(await db.column(`select count(*)::int from ops.night_jobs where step = 'rollup'`)).toEqual([0]);
  await db.query(`update ops.nights set patience_until = now()`);
  expect(await runTask(nightly, payload, db)).toMatchObject({ step: 'computing' });
});

test('a step that fails past the deadline is alerted all the same; a new brand was promised nothing', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  const payload = { brandId: brand.brandId, localDay: await localDayOf(db) };
  await runTask(nightly, payload, db);
  await db.query(`update ops.nights set deadline_at = now(), patience_until = now(), state = 'provisional'`);
  await db.query('alter view bi.completeness rename to elsewhere');
  await expect(runTask(nightly, payload, db)).rejects.toThrow('completeness');
  expect(await db.column('select cause like $1 from ops.alerts', ['%completeness%'])).toEqual([true]);
  await db.query('delete from ops.alerts');
  await db.query('update app.brands set created_at = now()');
  await expect(runTask(nightly, payload, db)).rejects.toThrow('completeness');
  expect(await db.column('select id from ops.alerts')).toEqual([]);
});

async function localDayOf(db: TestDb): Promise<string> {
  const [day] = await db.column(`select (now() at time zone 'Europe/London')::date`);
  return String(day);
}

test('nights that an outage left out are named with the backfill that makes them good', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  const daysAgo = (n: number) => new Date(brand.twoOClock.getTime() - n * 86_400_000);
  await db.query(
    `update ops.schedules set catch_up = 'all', catch_up_max = 7, overlap = 'queue', decided_to = $1, next_slot = $2
     where name = 'nightly'`,
    [new Date(daysAgo(9).getTime() - 3_600_000), daysAgo(9)],
  );
  await look(db, brand.twoOClock);
  const list = () => nightshift(['nights', 'list'], { env: { DATABASE_URL: db.url } });
  const { stderr } = await list();
  expect(stderr).toContain(`Of ${brand.slug} 3 nights of `);
  const command = /npx nightshift (schedules backfill .*)/.exec(stderr)?.[1]?.split(/\s+/) ?? [];
  expect(wrongOf((await examine(db)).checks, 'missed nights')).toMatchObject([
    { severity: 'warning', mend: `npx nightshift ${command.join(' ')}` },
  ]);
  const ran = await nightshift([...command, '--dry-run', '--json'], { env: { DATABASE_URL: db.url } });
  expect(ran.json()).toHaveLength(3);
  await db.query(
    `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
     select brand_id, local_day - 1, 'syncing', now(), now(), now() from ops.schedule_slots where outcome = 'missed'`,
  );
  expect((await list()).stderr).not.toContain('never began');
});

test('a night whose schedule is paused is owed from its deadline on, and the pause says how it comes back', async () => {
  await using db = await freshDb();
  const brand = await aNightlyBrand(db, 'Europe/London');
  await using _shop = brand.shop;
  const other = await aBrand(db);
  const run = (line: string) => nightshift(line.split(' '), { env: { DATABASE_URL: db.url } });
  const paused = await run(`schedules pause nightly --brand ${brand.slug} --reason x`);
  const resume = /npx nightshift (schedules resume \d+ --missed latest)/.exec(paused.stderr)?.[1] ?? '';
  // As if it had been paused before the slot.
  const before = new Date(brand.twoOClock.getTime() - 60_000);
  await db.query('delete from ops.schedule_slots');
  await db.query('delete from graphile_worker._private_jobs');
  await db.query('update ops.schedules set paused_at = $1, decided_to = $1, next_slot = $2', [
    ...[before, brand.twoOClock],
  ]);
  await look(db, brand.twoOClock);
  expect(await db.column('select outcome from ops.schedule_slots')).toEqual(['paused']);
  const owed = `Of ${brand.slug} the night of ${brand.day} never began`;
  const completeBy = (ahead: string) =>
    db.query(
      `update app.brands set complete_by =
         ((now() at time zone time_zone) + $1::interval)::time where id = $2`,
      [ahead, brand.brandId],
    );
  await completeBy('-1 minute');
  const { code, stdout } = await run('status --json');
  expect(code).not.toBe(0);
  const { warnings } = JSON.parse(stdout) as { warnings: string[] };
  expect(warnings).toContainEqual(
    expect.stringMatching(new RegExp(`^${owed}.* Next: npx nightshift schedules backfill`)),
  );
  expect(warnings.join()).not.toContain(other.slug);
  await completeBy('1 minute');
  expect((await run('status --json')).stdout).not.toContain(owed);
  await completeBy('-1 minute');
  expect(await run(resume)).toMatchObject({ code: 0 });
  expect(await db.column("select task from ops.jobs where task = 'nightly'")).toEqual(['nightly']);
  await runTask(nightly, { brandId: brand.brandId, localDay: await localDayOf(db) }, db);
  expect((await run('status --json')).stdout).not.toContain('never began');
});
