import { expect, test } from 'vitest';
import { stillFound } from '#sql/queue/find.ts';
import { retryJobs } from '#sql/queue/jobs.ts';
import { failuresOfJobs } from '#sql/triage/failures.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { add } from '../support/queue.ts';
import { effect, makeEffects, once } from '../support/queue_tasks.ts';
import { SAME_ID, twoBrands } from '../support/rows/two_brands.ts';
import { claimJob, runClaimed } from '../support/run.ts';

type Payload = Parameters<typeof add<typeof once.payload>>[2];

async function died(db: TestDb, payload: Payload): Promise<string> {
  const id = await add(db, once, payload);
  await runClaimed(once, await claimJob(db, id), db);
  return id;
}

const groups = (db: TestDb) =>
  db.rows(
    `select b.slug as brand, g.task, g.error_code, g.failures, cardinality(g.connections) as connections
     from ops.failure_groups g left join app.brands b on b.id = g.brand_id order by b.slug nulls last, g.task, g.error_code`,
  );

test('failures alike are one group, apart by brand, task and error; the platform has its own', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme, brio] = await twoBrands(db);
  await died(db, { ...acme, label: 'x', fail: 'give_up' });
  await died(db, { ...acme, label: 'y', fail: 'give_up' });
  await died(db, { ...acme, label: 'x', fail: 'plain' });
  await died(db, { ...brio, label: 'x', fail: 'give_up' });
  await died(db, { label: 'x', fail: 'give_up' });
  await died(db, { ...acme, label: 'waits', fail: 'wait' }); // its breaker counts it, whatever Retry-After says
  const down = { error_code: 'NS_PROVIDER_UNAVAILABLE', task: 'once' };
  expect(await groups(db)).toEqual([
    { brand: 'acme', task: 'once', error_code: 'Error', failures: 1, connections: 1 },
    { ...down, brand: 'acme', failures: 3, connections: 1 },
    { ...down, brand: 'brio', failures: 1, connections: 1 },
    { ...down, brand: null, failures: 1, connections: 0 },
  ]);
  const [ids] = await db.column('select count(distinct id)::int from ops.failure_groups');
  expect(ids).toBe(4);
});

test('a message is the same but for ids, numbers, instants and quoted values', async () => {
  await using db = await freshDb();
  const same = [
    ['Order "A 1" was refused.', 'Order "B and C" was refused.', 'Order "…" was refused.'],
    ["it isn't 'x', it's 'y z'", "it isn't 'a', it's 'b'", `it isn't "…", it's "…"`],
    [`Job ${SAME_ID} died.`, 'Job 22222222-2222-4222-8222-222222222222 died.', 'Job <id> died.'],
    ['Read 1,200 of 1.5 rows', 'Read 3 of 40 rows', 'Read <n> of <n> rows'],
    ['due 2026-11-30T02:00:00.5Z now', 'due 2026-11-29 now', 'due <time> now'],
    ['ch_3Nabc and cus-12 fail', 'ch_4 and cus-9x fail', '<n> and <n> fail'],
  ];
  for (const [one, other, made] of same)
    expect(
      await db.column('select ops.normalised_message(m) from unnest($1::text[]) m', [[one, other]]),
    ).toEqual([made, made]);
  const [long] = await db.column("select length(ops.normalised_message(repeat('a ', 2000)))");
  expect(long).toBe(500);
});

test('the names of its connection are no part of a message, so connections of a brand share a group', async () => {
  await using db = await freshDb();
  const [acme] = await twoBrands(db);
  const [other] = await db.column(
    `insert into app.connections
       (brand_id, name, provider, level, account, base_url, auth, secret, secret_key_id)
     values ($1, 'post', 'mailer', 'brand', 'a.b+c', 'http://127.0.0.1', 'key', '', 'k') returning id`,
    [acme.brandId],
  );
  const said = (id: unknown, text: string) =>
    db.column('select ops.without_connection($1, $2, $3)', [text, acme.brandId, id]);
  expect(await said(SAME_ID, 'Connection mail of x fails, connection mailer not')).toEqual([
    'Connection <connection> of <account> fails, connection mailer not',
  ]);
  expect(await said(other, 'connection post of a.b+c fails, aXb+c not')).toEqual([
    'connection <connection> of <account> fails, aXb+c not',
  ]);
  expect(await said(null, 'connection mail fails')).toEqual(['connection mail fails']);
  await db.query("update app.connections set name = provider where name = 'post'");
  expect(await said(other, 'mailer refuses the key of connection mailer')).toEqual([
    'mailer refuses the key of connection <connection>',
  ]);
});

test('the frame of a group is the first of ours, whatever the machine and the release', async () => {
  await using db = await freshDb();
  const frame = async (...lines: string[]) =>
    (await db.column('select ops.top_frame($1)', [['Error: at (x)', ...lines].join('\n')]))[0];
  const library = '    at Pool.query (/srv/sql/node_modules/pg/lib/x.js:1:2)';
  expect(
    await frame(library, '    at async send (file:///srv/tasks/n/connectors/kit/http/send.ts:10:5)'),
  ).toBe('send connectors/kit/http/send');
  expect(await frame('    at file:///app/node_modules/nightshift/dist/tasks/rollup.js:3:4')).toBe(
    'tasks/rollup',
  );
  expect(await frame('    at new Thing (/srv/n/sql/load/load.ts:3:4)', library)).toBe(
    'new Thing sql/load/load',
  );
  expect(await frame(library)).toBe('');
  expect(await db.column('select ops.top_frame(null)')).toEqual(['']);
});

test('runs that fail alike at the same moment wait for nobody, and each is counted', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const payload = { ...acme, label: 'x', fail: 'retry' as const };
  await died(db, payload);
  await using first = await openTransaction(db);
  await first.tx.query('update ops.failures set failures = failures where true'); // as an end that has not committed
  await Promise.all(Array.from({ length: 30 }, () => died(db, payload)));
  await first.commit();
  await Promise.all(Array.from({ length: 30 }, () => died(db, payload)));
  expect(await db.column('select failures from ops.failure_groups')).toEqual([61]);
  const [counters] = await db.column('select count(*)::int from ops.failures');
  expect(counters).toBeLessThan(30);
});

test('a key that is refused is one group, with the jobs that found the connection held', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme, brio] = await twoBrands(db);
  const jobs = [];
  for (const label of ['a', 'b', 'c']) jobs.push(await add(db, effect, { ...acme, label, fail: 'hold' }));
  for (const id of jobs) await runClaimed(effect, await claimJob(db, id), db);
  await runClaimed(effect, await claimJob(db, await add(db, effect, { ...brio, label: 'd' })), db);
  expect(await groups(db)).toMatchObject([{ brand: 'acme', failures: 1 }]);
  const bear =
    'select job_id::text, state from ops.jobs where failure_group = (select id from ops.failure_groups) order by 1';
  expect(await db.rows(bear)).toEqual(jobs.map((job_id) => ({ job_id, state: 'held' })));
});

test('a connection that a person holds is no failure', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  await db.query("update app.connections set held_at = now(), held_reason = 'moved', held_code = 'operator'");
  const id = await add(db, effect, { ...acme, label: 'a' });
  expect((await runClaimed(effect, await claimJob(db, id), db)).outcome).toBe('held');
  expect(await db.column('select failure_group from ops.jobs')).toEqual([null]);
  expect(await groups(db)).toEqual([]);
});

test('workers that die under a job are a group of their own, which the third death leaves as it is', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const id = await add(db, once, { ...acme, label: 'x' });
  const error = { code: 'NS_WORKER_DIED', message: 'The worker process ended while it ran the job.' };
  for (let n = 0; n < 3; n++) {
    const { locked_by } = await claimJob(db, id);
    await db.query("select ops.hand_back($1, $2, 'crashed', $3)", [id, locked_by, error]);
  }
  expect(await db.column('select state from ops.jobs')).toEqual(['dead']);
  expect(await groups(db)).toMatchObject([{ error_code: 'NS_WORKER_DIED', failures: 3 }]);
  expect(await db.column('select failure_group is not null from ops.jobs')).toEqual([true]);
});

test('a job that is given back, or waits for its time, bears its failure as before', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const id = await add(db, effect, { ...acme, label: 'x', fail: 'retry' });
  await runClaimed(effect, await claimJob(db, id), db);
  const [group] = await db.column('select id from ops.failure_groups');
  const { locked_by } = await claimJob(db, id);
  await db.query("select ops.hand_back($1, $2, 'released', null)", [id, locked_by]);
  expect(await db.column('select failure_group from ops.jobs')).toEqual([group]);
  expect(await failuresOfJobs(db, [id])).toEqual(new Map([[id, group]]));
  await db.query("update ops.job_runs set outcome = 'snoozed' where outcome = 'released'");
  expect(await db.column('select failure_group from ops.jobs')).toEqual([group]);
});

test('a job that bears another failure by now is not what a filter found', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const id = await died(db, { ...acme, label: 'x', fail: 'give_up' });
  const failure = String((await db.column('select id from ops.failure_groups'))[0]);
  const filter = { failure, brandId: acme.brandId, state: 'dead' } as const;
  expect(await stillFound(db, filter, [id])).toEqual(new Set([id]));
  await db.transaction((tx) => retryJobs(tx, [id]));
  await db.query(
    'update graphile_worker._private_jobs set payload = (payload::jsonb || \'{"fail": "plain"}\')::json',
  );
  await runClaimed(once, await claimJob(db, id), db);
  expect(await stillFound(db, filter, [id])).toEqual(new Set());
});
