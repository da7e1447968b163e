import { expect, test } from 'vitest';
import { currentAccount } from '#sql/tenants/audit.ts';
import { retention } from '#tasks/retention.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { add } from '../support/queue.ts';
import { makeEffects, once } from '../support/queue_tasks.ts';
import { type Place, twoBrands } from '../support/rows/two_brands.ts';
import { claimJob, runClaimed, runTask } from '../support/run.ts';

type Group = { id: string; state: string; brand: string; dead: number; reopened_because: string | null };

async function died(db: TestDb, place: Place): Promise<string> {
  const id = await add(db, once, { ...place, label: 'x', fail: 'give_up' });
  await runClaimed(once, await claimJob(db, id), db);
  return id;
}

/** Two dead jobs of acme and one of brio, which failed alike. */
async function deadJobs(db: TestDb) {
  await makeEffects(db);
  const [acme, brio] = await twoBrands(db);
  const jobs = [await died(db, acme), await died(db, acme)];
  const other = await died(db, brio);
  const run = (...words: string[]) =>
    nightshift(['failures', ...words, '--json'], { env: { DATABASE_URL: db.url } });
  const list = async (...words: string[]) => (await run('list', ...words)).json() as Group[];
  const [group] = await list('--brand', 'acme');
  if (group === undefined) throw new Error('There is one.');
  return { acme, brio, jobs, other, run, list, id: group.id };
}

test('groups are listed by brand, connection, task, state, time and text, and shown with all that is known', async () => {
  await using db = await freshDb();
  const { jobs, list, run, id } = await deadJobs(db);
  expect(await list()).toMatchObject([
    { brand: 'brio', failures: 1, dead: 1 },
    { brand: 'acme', failures: 2, dead: 2, held: 0, trying: 0, connections: 1, state: 'open', owner: null },
  ]);
  expect(await list('--brand', 'brio', '--connection', 'mail', '--task', 'once')).toHaveLength(1);
  for (const none of [
    ['--task', 'no'],
    ['--text', '%'],
    ['--since', '2999-01-01T00:00Z'],
    ['--state', 'over'],
  ])
    expect(await list(...none)).toEqual([]);
  expect(await list('--text', 'in TROUBLE')).toHaveLength(2);
  const page = await run('show', id);
  expect(page.json()).toMatchObject([
    {
      ...{ id, error_code: 'NS_PROVIDER_UNAVAILABLE', where: [{ connection: 'mail', failures: 2 }] },
      jobs: jobs.map((job_id) => ({ job_id, state: 'dead', connection: 'mail' })),
      example: { job_id: jobs[1], attempt: 1, error_hint: 'Do what a person does.' },
    },
  ]);
  const shown = await nightshift(['failures', 'show', id], { env: { DATABASE_URL: db.url } });
  expect(shown.stdout).toContain('next: Do what a person does.');
  expect(shown.stdout).toContain(`failures retry ${id}`);
});

test('what a person types wrong is said', async () => {
  await using db = await freshDb();
  const { run, id } = await deadJobs(db);
  for (const [code, ...words] of [
    [3, 'show', 'abc'],
    [3, 'show', '0123456789ab'],
    [3, 'retry', '0123456789ab', '--yes'],
    [3, 'take', '0123456789ab'],
    [3, 'list', '--brand', 'nobody'],
    [2, 'list', '--state', 'dead'],
    [2, 'ack', id, '--more-than', '-1'],
    [2, 'note', id, 'a\u001bb'],
    [4, 'ack', id, '--until', '2020-01-01T00:00:00Z'],
    [4, 'reopen', id],
  ] as const)
    expect((await run(...words)).code, words.join(' ')).toBe(code);
  expect(await db.column("select action from ops.audit_log where action like 'failures.%'")).toEqual([]);
});

test('the dead jobs of a group are put back or discarded: shown first, and of no other group', async () => {
  await using db = await freshDb();
  const { jobs, other, run, list, id } = await deadJobs(db);
  const tried = await run('discard', id, '--dry-run');
  expect(tried.json()).toMatchObject([{ jobs: 2, sample: jobs.map((job_id) => ({ job_id })) }]);
  expect(await run('discard', id)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Discard 2 jobs?'),
  });
  expect((await run('retry', id, '--yes')).json()).toEqual([{ jobs: 2, waiting: 2 }]);
  const [acme] = await list('--brand', 'acme');
  expect(acme).toMatchObject({ dead: 0, trying: 2, state: 'open' });
  for (const job of jobs) await runClaimed(once, await claimJob(db, job), db);
  expect((await run('discard', id, '--yes', '--reason', 'known')).json()).toEqual([
    { jobs: 2, cancelled: 2 },
  ]);
  expect(await list('--brand', 'acme')).toEqual([]);
  expect(await list('--brand', 'acme', '--state', 'all')).toMatchObject([{ state: 'over', failures: 4 }]);
  expect(await db.column('select job_id::text from ops.jobs')).toEqual([other]);
  const acts =
    "select action, brand_id is not null as of_brand, details -> 'ids' as ids from ops.audit_log where action like 'jobs.%' order by id";
  expect(await db.rows(acts)).toEqual(
    ['jobs.retry', 'jobs.discard'].map((action) => ({ action, of_brand: true, ids: jobs })),
  );
});

test('owner, note and acknowledgement are kept with who said so, and taken back', async () => {
  await using db = await freshDb();
  const { run, list, id } = await deadJobs(db);
  await run('take', id);
  await run('take', id, '--owner', 'ann');
  await run('note', id, 'their key ends at noon');
  await run('ack', id, '--until', '2999-01-01T00:00:00Z', '--more-than', '5');
  expect(await list('--brand', 'acme')).toMatchObject([
    { state: 'acknowledged', owner: 'ann', note: 'their key ends at noon', more_than: 5 },
  ]);
  expect(await list('--brand', 'brio')).toMatchObject([{ state: 'open', owner: null }]);
  await run('reopen', id);
  await run('note', id, '--none');
  await run('take', id, '--nobody');
  expect(await list('--brand', 'acme')).toMatchObject([{ state: 'open', owner: null, note: null }]);
  const said = await db.rows(
    "select action, before, after, brand_id is not null as of_brand from ops.audit_log where action like 'failures.%' order by id",
  );
  expect(said).toMatchObject([
    { action: 'failures.take', before: { owner: null }, after: { owner: currentAccount() }, of_brand: true },
    { action: 'failures.take', before: { owner: currentAccount() }, after: { owner: 'ann' } },
    { action: 'failures.note', after: { note: 'their key ends at noon' } },
    { action: 'failures.ack', before: { acknowledged_by: null }, after: { more_than: 5 } },
    { action: 'failures.reopen', before: { more_than: 5 }, after: { acknowledged_by: null } },
    { action: 'failures.note', after: { note: null } },
    { action: 'failures.take', before: { owner: 'ann' }, after: { owner: null } },
  ]);
});

test('a group is open again when its time is over, after more failures, or at another connection', async () => {
  await using db = await freshDb();
  const { acme, run, list, id } = await deadJobs(db);
  const because = async () => (await list('--brand', 'acme'))[0];
  await run('ack', id, '--more-than', '1');
  await died(db, acme);
  expect(await because()).toMatchObject({ state: 'acknowledged', reopened_because: null });
  await died(db, acme);
  expect(await because()).toMatchObject({
    state: 'open',
    reopened_because: 'it failed 2 times since, more than 1',
  });
  await run('ack', id);
  await died(db, acme);
  expect(await because()).toMatchObject({ state: 'acknowledged' });
  await db.query("update ops.failure_triage set until = now() - interval '1 s'");
  expect(await because()).toMatchObject({ state: 'open', reopened_because: 'the acknowledgement has ended' });
  await run('ack', id);
  const [post] = await db.column(
    `insert into app.connections (brand_id, name, provider, level, account, base_url, auth, secret, secret_key_id)
     values ($1, 'post', 'mailer', 'brand', 'y', 'http://127.0.0.1', 'key', '', 'k') returning id`,
    [acme.brandId],
  );
  await died(db, { ...acme, connectionId: String(post) });
  expect(await because()).toMatchObject({
    ...{ state: 'open', connections: 2, reopened_because: 'it concerns another connection' },
  });
});

test('status, doctor and jobs why point to the group, and dead jobs that are acknowledged alarm nobody', async () => {
  await using db = await freshDb();
  const { jobs, other, run, id, list } = await deadJobs(db);
  const env = { DATABASE_URL: db.url };
  const why = await nightshift(['jobs', 'why', jobs[0] ?? ''], { env });
  expect(why.stdout).toContain(`npx nightshift failures show ${id}`);
  const status = async () => (await nightshift(['status'], { env })).stdout;
  expect(await status()).toContain('Jobs are dead. Next: npx nightshift failures list');
  expect(wrongOf((await examine(db)).checks, 'dead jobs')).toMatchObject([
    { severity: 'failure', mend: `npx nightshift failures show ${id}` },
  ]);
  await run('ack', id);
  const [brio] = await list('--brand', 'brio');
  expect(wrongOf((await examine(db)).checks, 'dead jobs')).toMatchObject([
    { severity: 'failure', mend: `npx nightshift failures show ${brio?.id}` },
  ]);
  await nightshift(['jobs', 'discard', other], { env });
  expect(await status()).not.toContain('Jobs are dead');
  expect(wrongOf((await examine(db)).checks, 'dead jobs')).toMatchObject([{ severity: 'warning' }]);
});

test('a group that is over goes a year after its last failure, with what was said of it', async () => {
  await using db = await freshDb();
  const { jobs, run, list, id } = await deadJobs(db);
  await run('take', id);
  await db.query("update ops.failures set last_at = now() - interval '400 days'");
  expect(await runTask(retention, {}, db)).toMatchObject({ failures: 0 }); // jobs bear it
  await nightshift(['jobs', 'discard', '--brand', 'acme', '--yes'], { env: { DATABASE_URL: db.url } });
  expect(jobs).toHaveLength(2);
  expect(await runTask(retention, {}, db)).toMatchObject({ failures: 1 });
  expect(await list('--state', 'all')).toMatchObject([{ brand: 'brio' }]);
  expect(await db.column('select failure_group from ops.failure_triage')).toEqual([]);
});
