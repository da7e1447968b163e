import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { openTransaction } from '../support/db/sessions.ts';
import { add, jobsLeft } from '../support/queue.ts';
import { effect, makeEffects, once } from '../support/queue_tasks.ts';
import { SAME_ID, twoBrands } from '../support/rows/two_brands.ts';
import { claimJob, runClaimed } from '../support/run.ts';

async function died(db: TestDb, payload: Parameters<typeof add<typeof once.payload>>[2]) {
  const id = await add(db, once, payload);
  await runClaimed(once, await claimJob(db, id), db);
  return id;
}

/** Each brand has a job that waits and one that is dead. */
async function twoBrandsAtWork(db: TestDb) {
  await makeEffects(db);
  const jobs = [];
  for (const place of await twoBrands(db)) {
    const of = { ...place, label: 'x' };
    jobs.push({ waiting: await add(db, effect, of), dead: await died(db, { ...of, fail: 'give_up' }) });
  }
  const [acme, brio] = jobs;
  if (!acme || !brio) throw new Error('there are two');
  return { acme, brio, env: { DATABASE_URL: db.url } };
}

const ids = (ran: { json(): unknown[] }) => (ran.json() as { job_id: string }[]).map(({ job_id }) => job_id);

test('the queue and its history are searched by brand, connection, task, state, time and text', async () => {
  await using db = await freshDb();
  const { acme, brio, env } = await twoBrandsAtWork(db);
  const list = async (...options: string[]) => {
    const ran = await nightshift(['jobs', 'list', '--json', ...options], { env });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    return ids(ran);
  };
  expect(await list()).toEqual([acme.waiting, brio.waiting, acme.dead, brio.dead]);
  expect(await list('--brand', 'acme')).toEqual([acme.waiting, acme.dead]);
  expect(await list('--brand', 'brio', '--connection', SAME_ID, '--task', 'once')).toEqual([brio.dead]);
  expect(await list('--text', 'in TROUBLE')).toEqual([acme.dead, brio.dead]);
  expect(await list('--text', '%')).toEqual([]);
  expect(await list('--since', '2999-01-01T00:00:00Z')).toEqual([]);
  expect(await list('--finished', '--brand', 'brio')).toEqual([brio.dead]);
  expect(await list('--finished', '--text', 'unavailable')).toEqual([brio.dead, acme.dead]);
  expect(await list('--finished', '--brand', 'acme', '--connection', SAME_ID)).toEqual([acme.dead]);
  expect(await list('--finished', '--since', '2999-01-01T00:00:00Z')).toEqual([]);
  await nightshift(['jobs', 'cancel', acme.waiting], { env });
  expect(await list('--state', 'cancelled')).toEqual([acme.waiting]);
  expect(await nightshift(['jobs', 'list', '--brand', 'nobody'], { env })).toMatchObject({ code: 3 });
  const odd = await nightshift(['jobs', 'list', '--finished', '--state', 'waiting'], { env });
  expect(odd).toMatchObject({ code: 2, stderr: expect.stringContaining('No run has ended as waiting') });
});

test('what is done to many is shown first, wants a yes, and has one row in the audit log', async () => {
  await using db = await freshDb();
  const { acme, brio, env } = await twoBrandsAtWork(db);
  const discard = ['jobs', 'discard', '--brand', 'acme', '--text', 'trouble', '--reason', 'known'];
  const tried = await nightshift([...discard, '--dry-run', '--json'], { env });
  expect(tried.json()).toMatchObject([{ jobs: 1, sample: [{ job_id: acme.dead, state: 'dead' }] }]);
  const unsure = await nightshift(discard, { env });
  expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining('Discard 1 job?') });
  expect(unsure.stderr).toContain(`${acme.dead}  once  dead`);
  expect(await jobsLeft(db)).toHaveLength(4);
  expect(await db.column("select action from ops.audit_log where action like 'jobs.%'")).toEqual([]);

  const done = await nightshift([...discard, '--yes', '--json'], { env });
  expect(done).toMatchObject({ code: 0 });
  expect(done.json()).toEqual([{ jobs: 1, cancelled: 1 }]);
  expect(
    await db.rows("select action, target, details from ops.audit_log where action like 'jobs.%'"),
  ).toEqual([
    {
      action: 'jobs.discard',
      target: '1 job',
      details: { filter: { brand: 'acme', text: 'trouble' }, jobs: 1, ids: [acme.dead], reason: 'known' },
    },
  ]);
  const [message] = await db.column('select error_message from ops.job_runs order by id desc limit 1');
  expect(message).toMatch(/^\S+ discarded it: known$/);

  const retried = await nightshift(['jobs', 'retry', '--state', 'dead', '--yes', '--json'], { env });
  expect(retried.json()).toEqual([{ jobs: 1, waiting: 1 }]);
  expect(
    await db.column("select job_id::text from ops.jobs where state = 'waiting' order by job_id"),
  ).toEqual([acme.waiting, brio.waiting, brio.dead]);
  await claimJob(db, brio.dead);
  const all = await nightshift(['jobs', 'cancel', '--connection', SAME_ID, '--brand', 'brio', '--yes'], {
    env,
  });
  expect(all.stdout).toBe('1 job cancelled\n1 job broken off within seconds\n');
  expect(await db.column('select job_id::text from ops.cancel_requests')).toEqual([brio.dead]);
  const [last] = await db.column('select details from ops.audit_log order by id desc limit 1');
  expect(last).toMatchObject({ jobs: 2, cancelling: [brio.dead] });
  const none = await nightshift(['jobs', 'cancel', '--task', 'retention', '--json'], { env });
  expect(none.json()).toEqual([{ jobs: 0, sample: [] }]);
  const unknown = await nightshift(['jobs', 'cancel', '--task', 'nothing'], { env });
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no task nothing.') });
  const undead = await nightshift(['jobs', 'retry', '--task', 'effect', '--dry-run'], { env });
  expect(undead.stderr).toContain('None is dead; ');
});

test('only what is dead is discarded, and either a number or a filter is named', async () => {
  await using db = await freshDb();
  const { acme, env } = await twoBrandsAtWork(db);
  const alive = await nightshift(['jobs', 'discard', acme.waiting], { env });
  expect(alive).toMatchObject({ code: 4, stderr: expect.stringContaining('jobs cancel') });
  expect(await nightshift(['jobs', 'discard', acme.dead], { env })).toMatchObject({ code: 0 });
  expect(await nightshift(['jobs', 'discard', '--state', 'waiting'], { env })).toMatchObject({ code: 2 });
  expect(await nightshift(['jobs', 'cancel'], { env })).toMatchObject({ code: 2 });
  expect(await nightshift(['jobs', 'cancel', acme.waiting, '--task', 'effect'], { env })).toMatchObject({
    code: 2,
  });
  expect(await jobsLeft(db)).toHaveLength(3);
});

test('more than a thousand are taken batch by batch, each with its row in the audit log', async () => {
  await using db = await freshDb();
  await db.query(
    "select count(graphile_worker.add_job('effect', payload => '{}')) from generate_series(1, 1200)",
  );
  const env = { DATABASE_URL: db.url };
  const listed = await nightshift(['jobs', 'list', '--json'], { env });
  expect(listed.json()).toHaveLength(200);
  expect(listed.stderr).toContain('There are more');
  const done = await nightshift(['jobs', 'cancel', '--task', 'effect', '--yes', '--json'], { env });
  expect(done.json()).toEqual([{ jobs: 1200, cancelled: 1200 }]);
  expect(await jobsLeft(db)).toEqual([]);
  expect(await db.column("select details -> 'jobs' from ops.audit_log order by id")).toEqual([1000, 200]);
  const ended = await nightshift(['jobs', 'list', '--finished', '--json'], { env });
  expect(ended.json()).toHaveLength(200);
  expect(ended.stderr).toContain('There are more');
});

test('what is done to one job is found by its brand; a run that is asked to end again has no second row', async () => {
  await using db = await freshDb();
  const { acme, brio, env } = await twoBrandsAtWork(db);
  expect(await nightshift(['jobs', 'retry', acme.dead], { env })).toMatchObject({ code: 0 });
  await claimJob(db, brio.waiting);
  for (let times = 0; times < 2; times++) {
    const ran = await nightshift(['jobs', 'cancel', brio.waiting], { env });
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('it will be stopped within seconds'),
    });
  }
  const many = await nightshift(['jobs', 'cancel', '--task', 'effect', '--brand', 'brio', '--yes'], { env });
  expect(many.stdout).toBe('0 jobs cancelled\n1 job broken off within seconds\n');
  const audit = async (brand: string) =>
    (await nightshift(['audit', '--action', 'jobs', '--brand', brand, '--json'], { env })).json();
  expect(await audit('acme')).toMatchObject([
    { action: 'jobs.retry', target: acme.dead, before: { state: 'dead' }, after: { state: 'waiting' } },
  ]);
  expect(await audit('brio')).toMatchObject([
    {
      action: 'jobs.cancel',
      target: brio.waiting,
      before: { state: 'running' },
      after: { state: 'cancelling' },
    },
  ]);
});

test('a dead job whose row somebody holds is busy, not refused', async () => {
  await using db = await freshDb();
  const { acme, env } = await twoBrandsAtWork(db);
  await using holder = await openTransaction(db);
  await holder.tx.query('select from graphile_worker._private_jobs where id = $1 for update', [acme.dead]);
  const one = await nightshift(['jobs', 'retry', acme.dead, '--json'], { env });
  expect(one).toMatchObject({ code: 4, stderr: expect.stringContaining('NS_JOB_BUSY') });
  const many = await nightshift(['jobs', 'retry', '--brand', 'acme', '--yes', '--json'], { env });
  expect([many.code, many.json()]).toEqual([6, [{ jobs: 1, waiting: 0, busy: 1 }]]);
});
