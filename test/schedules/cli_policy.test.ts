/** What the commands of schedules refuse, take by default, and leave out of a page. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';

const cli = (db: TestDb, ...args: string[]) =>
  nightshift(['schedules', ...args, '--json'], { env: { DATABASE_URL: db.url } });

const add = async (db: TestDb, name: string, expression: string, ...options: string[]) =>
  expect(
    await cli(db, 'add', name, '--task', 'retention', '--expression', expression, ...options),
  ).toMatchObject({ code: 0 });

test('next leaves out the excluded days of the zone, however many there are, up to a bound', async () => {
  await using db = await freshDb();
  const zone = ['--time-zone', 'America/New_York'];
  await add(db, 'daily', '30 22 * * *', ...zone, '--except', '2026-03-02,2026-03-03,2026-03-04');
  const ran = await cli(db, 'next', 'daily', '--count', '2', '--from', '2026-03-01T12:00:00Z');
  expect(ran.json()).toMatchObject([
    { local: '2026-03-01 22:30 -05:00' },
    { local: '2026-03-05 22:30 -05:00' },
  ]);
  const days = Array.from({ length: 20 }, (_, n) =>
    new Date(Date.UTC(2026, 2, 1 + n)).toISOString().slice(0, 10),
  );
  await add(db, 'minutely', '* * * * *', '--except', days.join());
  const bounded = await cli(db, 'next', 'minutely', '--from', '2026-02-28T23:58:00Z');
  expect(bounded.json()).toMatchObject([{ utc: '2026-02-28T23:59:00.000Z' }]);
  expect(bounded.stderr).toContain('Only excluded days were found up to 2026-03-14T');
});

test('list, show, add and edit name the next slot that fires, not one of an excluded day', async () => {
  await using db = await freshDb();
  const [today, tomorrow, after] = await db.column(
    `select to_char((now() at time zone 'UTC')::date + n, 'YYYY-MM-DD') from generate_series(0, 2) n`,
  );
  const days = ['--except', `${today},${tomorrow}`];
  const next = `${after} 00:00 +00:00`;
  await add(db, 'other', '0 0 * * *');
  const made = await cli(db, 'add', 'daily', '--task', 'retention', '--expression', '0 0 * * *', ...days);
  expect(made.json()).toMatchObject([{ next: `${after}T00:00:00.000Z` }]);
  expect((await cli(db, 'show', 'daily')).json()).toMatchObject([
    { next, next_utc: `${after}T00:00:00.000Z` },
  ]);
  expect((await cli(db, 'list')).json()).toMatchObject([{ name: 'daily', next }, { name: 'other' }]);
  expect((await cli(db, 'edit', 'other', ...days)).json()).toMatchObject([
    { next: `${after}T00:00:00.000Z` },
  ]);
});

test('catch-up all fires 100 slots at most where nothing else is said', async () => {
  await using db = await freshDb();
  const all = ['--catch-up', 'all', '--overlap', 'queue'];
  await add(db, 'one', '0 2 * * *', ...all);
  await add(db, 'two', '0 2 * * *', ...all, '--catch-up-max', '7');
  await add(db, 'three', '0 2 * * *');
  const most = () => db.column('select catch_up_max from ops.schedules order by id');
  expect(await most()).toEqual([100, 7, 1]);
  const edited = await cli(db, 'edit', 'three', ...all);
  expect(edited.json()).toMatchObject([{ catchUp: 'all', catchUpMax: 100 }]);
  await cli(db, 'edit', 'two', '--catch-up', 'all');
  expect(await most()).toEqual([100, 7, 100]);
});

test.each([
  ['--since', '2026-03-01T00:00:00Z'],
  ['--until', '2026-03-01T00:00:00Z'],
  ['--only', 'all'],
  ['--concurrency', '3'],
  ['--newest-first'],
])('a stored plan is not run with %s', async (...option) => {
  await using db = await freshDb();
  const ran = await cli(db, 'backfill', 'mine', '--plan', '3', ...option);
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be used with') });
});

test('a resume that cannot fire all that was missed says how many did not', async () => {
  await using db = await freshDb();
  await add(db, 'mine', '0 2 * * *');
  await cli(db, 'pause', 'mine', '--reason', 'we look into it');
  await db.query(
    `update ops.schedules set paused_at = '2026-03-01';
     insert into ops.schedule_slots (schedule_id, slot, version, local_day, outcome, decided_at, decided_by)
     select id, '2026-03-01'::timestamptz + make_interval(hours => n), 1, '2026-03-01', 'paused', now(), 'x'
     from ops.schedules, generate_series(1, 103) n`,
  );
  const ran = await cli(db, 'resume', 'mine', '--missed', 'all');
  expect(ran.json()).toMatchObject([{ fired: 100, left: 3 }]);
  expect(ran.stderr).toContain('3 earlier missed slots did not fire');
});

test('a list of a connection that nobody has is an error, and more than a page is said', async () => {
  await using db = await freshDb();
  expect(await cli(db, 'list', '--connection', 'typo')).toMatchObject({ code: 3 });
  expect(await cli(db, 'list')).toMatchObject({ code: 0, stderr: '' });
  await db.query(
    `with made as (
       insert into ops.schedules (name, task, expression, decided_to)
       select 's' || n, 'retention', '0 2 * * *', now() from generate_series(1, 1001) n returning id)
     insert into ops.schedule_versions (schedule_id, version, expression, time_zone, begins_at, changed_by)
     select id, 1, '0 2 * * *', 'UTC', now(), 'x' from made`,
  );
  const ran = await cli(db, 'list');
  expect(ran.json()).toHaveLength(1000);
  expect(ran.stderr).toContain('There are more');
});
