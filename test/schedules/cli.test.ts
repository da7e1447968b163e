import { expect, test } from 'vitest';
import { tasks } from '#tasks/index.ts';
import { lookOnce } from '#workers/scheduler/scheduler.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { quiet } from '../support/run.ts';

/** Runs a command against a database; its lines of JSON, or what it complains of. */
const cli = (db: TestDb, ...args: string[]) =>
  nightshift([...args, '--json'], { env: { DATABASE_URL: db.url } });

async function aBrand(db: TestDb, slug: string, zone = 'Europe/London'): Promise<void> {
  const ran = await cli(db, 'brands', 'add', slug, '--zone', zone, '--currency', 'GBP');
  expect(ran.code).toBe(0);
}

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

test('a brand has its schedules from the moment it is added, each in its zone', async () => {
  await using db = await freshDb();
  await aBrand(db, 'acme', 'America/New_York');
  await aBrand(db, 'brio');
  const listed = lines((await cli(db, 'schedules', 'list', '--brand', 'acme')).stdout);
  expect(listed.map(({ name, time_zone, state }) => ({ name, time_zone, state }))).toContainEqual({
    ...{ name: 'reconcile', time_zone: 'America/New_York', state: 'active' },
  });
  const ambiguous = await cli(db, 'schedules', 'show', 'reconcile');
  expect(ambiguous.code).toBe(2);
  expect(JSON.parse(ambiguous.stderr.trim().split('\n')[0] ?? '')).toMatchObject({
    error: { code: 'NS_SCHEDULE_AMBIGUOUS' },
  });
});

test('add, show, next, edit, pause, resume, run and remove', async () => {
  await using db = await freshDb();
  const add = ['schedules', 'add', 'nightly-prune', '--task', 'retention', '--expression', '30 2 * * *'];
  const added = await cli(db, ...add, '--time-zone', 'America/New_York', '--catch-up', 'skip');
  expect(added).toMatchObject({ code: 0 });
  const [{ id }] = lines(added.stdout);
  const next = ['schedules', 'next', String(id), '--count', '2', '--from', '2026-03-07T12:00:00Z'];
  expect(lines((await cli(db, ...next)).stdout)).toEqual([
    { local: '2026-03-08 03:00 -04:00', utc: '2026-03-08T07:00:00.000Z', time_zone: 'America/New_York' },
    { local: '2026-03-09 02:30 -04:00', utc: '2026-03-09T06:30:00.000Z', time_zone: 'America/New_York' },
  ]);
  expect((await cli(db, 'schedules', 'edit', 'nightly-prune', '--overlap', 'cancel')).code).toBe(0);
  expect((await cli(db, 'schedules', 'pause', 'nightly-prune', '--reason', 'we look into it')).code).toBe(0);
  expect((await cli(db, 'schedules', 'pause', 'nightly-prune', '--reason', 'again')).code).toBe(4);
  const [shown] = lines((await cli(db, 'schedules', 'show', String(id))).stdout);
  expect(shown).toMatchObject({ state: 'paused', paused_reason: 'we look into it', overlap: 'cancel' });
  expect((await cli(db, 'schedules', 'resume', 'nightly-prune')).code).toBe(0);
  const [{ job_id }] = lines((await cli(db, 'schedules', 'run', 'nightly-prune')).stdout);
  expect(await db.column('select task from ops.jobs where job_id = $1', [job_id])).toEqual(['retention']);
  expect((await cli(db, 'schedules', 'remove', 'nightly-prune', '--yes')).code).toBe(0);
  expect((await cli(db, 'schedules', 'show', 'nightly-prune')).code).toBe(3);
  expect(await db.column('select action from ops.audit_log order by id')).toEqual([
    ...['add', 'edit', 'pause', 'resume', 'run', 'remove'].map((verb) => `schedules.${verb}`),
  ]);
});

test('a zone that this Node does not know hides no schedule', async () => {
  await using db = await freshDb();
  await aBrand(db, 'acme');
  await db.query(
    "update ops.schedules set time_zone = 'Mars/Phobos', excluded_days = '{2026-12-25}' where name = 'snapshot'",
  );
  const listed = lines((await cli(db, 'schedules', 'list', '--brand', 'acme')).stdout);
  expect(listed.find(({ name }) => name === 'snapshot')).toMatchObject({ time_zone: 'Mars/Phobos' });
  expect(listed.length).toBeGreaterThan(3);
});

test.each([
  [['--task', 'retention', '--expression', '99 2 * * *'], 2, '99 does not fit the field minute'],
  [['--task', 'nonsense', '--expression', '0 2 * * *'], 2, 'There is no task nonsense'],
  [['--task', 'reconcile', '--expression', '0 2 * * *'], 2, 'brandId'],
  [['--task', 'retention', '--expression', '0 2 * * *', '--catch-up', 'all'], 2, 'Add --overlap queue'],
  [['--task', 'retention', '--expression', '0 2 * * *', '--except', '2026-02-30'], 2, 'an existing day'],
  [['--task', 'retention', '--expression', '0 2 * * *', '--payload', '[1]'], 2, 'a JSON object'],
])('add %j is refused', async (options, code, why) => {
  await using db = await freshDb();
  const ran = await cli(db, 'schedules', 'add', 'mine', ...options);
  expect(ran.stderr).toContain(why);
  expect(ran.code).toBe(code);
  expect(await db.column('select count(*)::int from ops.schedules')).toEqual([0]);
});

test('a backfill runs just what its dry run showed, so many jobs at a time, and leaves the ledger alone', async () => {
  await using db = await freshDb();
  await cli(db, 'schedules', 'add', 'mine', '--task', 'retention', '--expression', '0 2 * * *');
  const range = ['--since', '2026-03-01T00:00:00Z', '--until', '2026-03-04T00:00:00Z'];
  const dry = await cli(db, 'schedules', 'backfill', 'mine', ...range, '--newest-first', '--dry-run');
  expect(lines(dry.stdout).map(({ local_day }) => local_day)).toEqual([
    '2026-03-03',
    '2026-03-02',
    '2026-03-01',
  ]);
  const [, plan = ''] = dry.stderr.match(/--plan (\d+)/) ?? [];
  expect(await db.column('select count(*)::int from ops.jobs')).toEqual([0]);
  expect((await cli(db, 'schedules', 'backfill', 'mine', '--plan', plan)).code).toBe(0);
  expect((await cli(db, 'schedules', 'backfill', 'mine', '--plan', plan)).code).toBe(4);
  for (let round = 0; round < 5; round++) {
    await lookOnce({ db, log: quiet, now: new Date(), tasks });
    expect(await db.column('select count(*)::int from ops.jobs')).toEqual([round < 3 ? 1 : 0]);
    await db.query('delete from graphile_worker._private_jobs');
  }
  expect(await db.column('select ended_at is not null from ops.backfills')).toEqual([true]);
  expect(await db.column('select count(*)::int from ops.schedule_slots')).toEqual([0]);
});

test('schedules that nobody decides are a fault that status shows', async () => {
  await using db = await freshDb();
  await cli(db, 'schedules', 'add', 'mine', '--task', 'retention', '--expression', '0 2 * * *');
  await db.query(`update ops.schedules set next_slot = now() - interval '2 hours'`);
  const { stdout } = await cli(db, 'status');
  expect(JSON.parse(stdout).attention.join()).toContain('No scheduler has looked at 1 schedule');
});
