/** An operator is told why a job waits, and what became of one that has ended. */
import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { aShop } from '../support/rows/factory.ts';
import { aJob, ask, becauseOf } from '../support/why.ts';

const lock = (db: TestDb, id: string) =>
  db.query("update graphile_worker._private_jobs set locked_by = 'w', locked_at = now() where id = $1", [id]);

test('a job says that no worker runs, that its lane is busy and with what, and when its time comes', async () => {
  await using db = await freshDb();
  const first = await aJob(db, { queue_name: 'narrow' });
  const second = await aJob(db, { queue_name: 'narrow' });
  const other = await aJob(db, { queue_name: 'wide', run_at: '2199-01-01T00:00:00Z' });
  expect(becauseOf(await ask(db, 'jobs', 'why', first))).toEqual(['no worker runs']);
  await lock(db, first);
  const { page } = await ask(db, 'jobs', 'why', second);
  expect(page).toMatchObject({ state: 'waiting' });
  expect(page.reasons).toEqual([
    {
      because: `its lane narrow is busy with job ${first} (retention)`,
      next: `npx nightshift jobs why ${first}`,
    },
    { because: 'no worker runs', next: expect.stringContaining('nightshift up') },
  ]);
  expect(becauseOf(await ask(db, 'jobs', 'why', other))).toEqual([
    'its time comes at 2199-01-01T00:00:00Z',
    'no worker runs',
  ]);
  expect(becauseOf(await ask(db, 'jobs', 'why', first))).toEqual(['a worker has just taken it']);
  expect((await nightshift(['jobs', 'why', '999999'], { env: { DATABASE_URL: db.url } })).code).toBe(3);
});

test('a paused job says who paused it and why, and what resumes it', async () => {
  await using db = await freshDb();
  await aShop(db, { slug: 'acme' });
  const [brandId] = await db.column('select id from app.brands');
  const env = { DATABASE_URL: db.url };
  const [id] = await db.column(
    `select (graphile_worker.add_job('retention', json_build_object('brandId', $1::uuid),
               flags => ops.job_flags('retention', jsonb_build_object('brandId', $1::uuid)))).id::text`,
    [brandId],
  );
  const pause = ['jobs', 'pause', '--task', 'retention', '--brand', 'acme', '--reason', 'they move'];
  expect(await nightshift(pause, { env })).toMatchObject({ code: 0 });
  const { page } = await ask(db, 'jobs', 'why', String(id));
  expect(page.state).toBe('paused');
  expect(page.reasons[0]).toEqual({
    because: expect.stringMatching(/^it is paused by \S+: they move$/),
    next: 'npx nightshift jobs resume --task retention --brand acme',
  });
});

test('a job of a connection says that it is held and why, or until when its provider allows nothing', async () => {
  await using db = await freshDb();
  const [one, other] = [await aShop(db), await aShop(db)];
  const jobOf = ({ brand, connection }: typeof one) =>
    aJob(db, { payload: { brandId: brand.id, connectionId: connection.id } });
  const [held, limited] = [await jobOf(one), await jobOf(other)];
  await db.query(
    "update app.connections set held_at = now(), held_reason = 'the key is refused' where id = $1",
    [one.connection.id],
  );
  await db.query("update graphile_worker._private_jobs set run_at = 'infinity' where id = $1", [held]);
  await db.query(`insert into ops.rate_budgets values ('shopify', $1, 0, 1, 1, now(), '2199-01-01')`, [
    other.connection.account,
  ]);
  const why = await ask(db, 'jobs', 'why', held);
  expect(why.page.state).toBe('held');
  expect(why.page.reasons[0]).toEqual({
    because: `its connection ${one.connection.name} is held: the key is refused`,
    next: `npx nightshift connections check ${one.connection.name} --brand ${one.brand.slug}`,
  });
  expect(becauseOf(await ask(db, 'jobs', 'why', limited))[0]).toBe(
    `its provider allows no request of ${other.connection.name} before 2199-01-01T00:00:00Z`,
  );
});

test('a job that failed once and was put off since says that, and how many jobs are ahead of it', async () => {
  await using db = await freshDb();
  const id = await aJob(db, { run_at: '2199-01-01T00:00:00Z', max_attempts: 8 });
  await db.query(
    "update graphile_worker._private_jobs set attempts = 1, last_error = 'it broke' where id = $1",
    [id],
  );
  const ran = (attempt: number, outcome: string, message: string | null) =>
    db.query(
      `insert into ops.job_runs (job_id, task, payload, attempt, pool_id, claimed_at, started_at, finished_at, outcome, error_code, error_message)
       values ($1, 'retention', '{}', $2, '', now(), now(), now(), $3, $4, $5)`,
      [id, attempt, outcome, message && 'NS_X', message],
    );
  const first = async () => becauseOf(await ask(db, 'jobs', 'why', id))[0];
  await ran(1, 'retrying', 'it broke');
  expect(await first()).toBe('attempt 1 of 8 failed, and it tries again at 2199-01-01T00:00:00Z: it broke');
  await ran(2, 'snoozed', 'the provider is busy');
  expect(await first()).toBe(
    'its last run was snoozed, and it tries again at 2199-01-01T00:00:00Z with 1 of 8 attempts spent: the provider is busy',
  );
  await db.query(
    "insert into ops.workers (id, pool_id, lock_key, host, process_id, started_at) values (gen_random_uuid(), 'w', 4711, 'h', 1, now())",
  );
  await using worker = await openTransaction(db);
  await worker.tx.query('select pg_advisory_xact_lock(4711)');
  const [one, two, three] = [await aJob(db), await aJob(db), await aJob(db)];
  expect(becauseOf(await ask(db, 'jobs', 'why', one))).toEqual(['a worker is about to take it']);
  expect(becauseOf(await ask(db, 'jobs', 'why', two))).toEqual([
    '1 job is ahead of it (its priority is normal)',
  ]);
  expect(becauseOf(await ask(db, 'jobs', 'why', three))).toEqual([
    '2 jobs are ahead of it (its priority is normal)',
  ]);
});

test('a job that has ended says how, what queued it, its attempts and what it loaded', async () => {
  await using db = await freshDb();
  const dead = await aJob(db);
  await db.query('select graphile_worker.permanently_fail_jobs(array[$1]::bigint[], $2)', [
    dead,
    'it is broken',
  ]);
  expect((await ask(db, 'jobs', 'why', dead)).page.reasons).toEqual([
    { because: expect.stringContaining('it is broken'), next: `npx nightshift jobs retry ${dead}` },
  ]);
  await db.query(
    `insert into ops.schedules (name, task, expression, decided_to) values ('mine', 'retention', '0 2 * * *', now());
     insert into ops.schedule_slots (schedule_id, slot, version, local_day, outcome, job_id, decided_at, decided_by)
     select id, '2026-03-01T02:00:00Z', 1, '2026-03-01', 'queued', 777, now(), 'x' from ops.schedules;
     insert into ops.job_runs (job_id, task, payload, attempt, pool_id, claimed_at, started_at, finished_at, outcome, tally, error_code, error_message)
     values (777, 'retention', '{}', 1, '', now(), now(), now(), 'retrying', null, 'NS_X', 'the disk is full'),
            (777, 'retention', '{}', 2, '', now(), now(), now(), 'partial', '{"read": 7, "incomplete": "two are missing"}', null, null)`,
  );
  const { page } = await ask(db, 'jobs', 'why', '777');
  expect(page).toMatchObject({
    ...{ state: 'partial', reasons: [{ because: 'it ended as partial: two are missing' }] },
    queued_by: [expect.stringMatching(/^slot 2026-03-01T02:00:00Z of schedule \d+ mine$/)],
    attempts: [{ error_code: 'NS_X', error_message: 'the disk is full' }, { tally: { read: 7 } }],
  });
});
