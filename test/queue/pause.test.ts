import { expect, test } from 'vitest';
import { returnJobs } from '#sql/queue/workers.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { add, aWorker, effects } from '../support/queue.ts';
import { effect, makeEffects, once } from '../support/queue_tasks.ts';
import { SAME_ID, twoBrands } from '../support/rows/two_brands.ts';
import { claimJob, runClaimed } from '../support/run.ts';

const jobs = (db: TestDb, ...args: string[]) =>
  nightshift(['jobs', ...args], { env: { DATABASE_URL: db.url } });
const paused = (db: TestDb) =>
  db.column("select payload ->> 'label' from ops.jobs where state = 'paused' order by job_id");
const flags = (db: TestDb) => db.column('select flags from graphile_worker._private_jobs order by id');

test('jobs of a paused brand wait without spending an attempt, those of another run', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme, brio] = await twoBrands(db);
  const pause = await jobs(
    db,
    'pause',
    '--brand',
    'acme',
    '--reason',
    'they move',
    '--until',
    '2999-01-01T00:00:00Z',
  );
  expect(pause).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Jobs of acme are paused until 2999'),
  });
  await add(db, effect, { ...acme, label: 'acme' });
  await add(db, effect, { ...brio, label: 'brio' });
  await using _ = await aWorker(db);
  await eventually(async () => expect(await effects(db)).toEqual(['brio']));
  await add(db, effect, { ...brio, label: 'later' }); // so the worker has claimed past the paused one
  await eventually(async () => expect(await effects(db)).toEqual(['brio', 'later']));
  const listed = await jobs(db, 'list', '--state', 'paused', '--json');
  expect(listed.json()).toMatchObject([
    { attempts: 0, why: expect.stringMatching(/^paused by \S+ until 2999-01-01T00:00:00Z: they move$/) },
  ]);
  expect((await jobs(db, 'pauses', '--json')).json()).toMatchObject([
    { brand: 'acme', connection: null, task: null, jobs: 1, reason: 'they move' },
  ]);
  const why = await jobs(db, 'why', String((listed.json() as { job_id: string }[])[0]?.job_id));
  expect(why.stdout).toMatch(/it is paused by \S+ until 2999-01-01T00:00:00Z: they move/);
  const status = await nightshift(['status'], { env: { DATABASE_URL: db.url } });
  expect(status.stdout).toContain('0 held, 1 paused, 0 dead');
  expect(status.stdout).toMatch(/paused {5}acme by \S+ until 2999-01-01T00:00:00Z: they move/);
  expect(status.stdout).toMatch(
    /! \S+ paused acme until 2999-\S+: they move; 1 job waiting. Next: npx nightshift jobs resume --brand acme/,
  );

  expect(await jobs(db, 'resume', '--brand', 'acme')).toMatchObject({ code: 0 });
  await eventually(async () => expect(await effects(db)).toEqual(['brio', 'later', 'acme']));
  expect(
    await db.column('select action from ops.audit_log where action like $1 order by id', ['jobs.%']),
  ).toEqual(['jobs.pause', 'jobs.resume']);
});

test.each([
  ['--brand acme', ['a', 'a once', 'a brand']],
  ['--brand brio --connection mail', ['b', 'b once']],
  [`--brand acme --connection ${SAME_ID}`, ['a', 'a once']],
  ['--task once', ['a once', 'b once']],
  ['--task once --brand acme', ['a once']],
  ['--provider shopify', ['b', 'b once']],
  ['--provider shopify --task effect', ['b']],
])('a pause of %s concerns its jobs and no others', async (which, labels) => {
  await using db = await freshDb();
  const [acme, brio] = await twoBrands(db, ['mailer', 'shopify']);
  for (const [label, place] of [['a', acme] as const, ['b', brio] as const]) {
    await add(db, effect, { ...place, label });
    await add(db, once, { ...place, label: `${label} once` });
  }
  await add(db, effect, { brandId: acme.brandId, label: 'a brand' });
  await add(db, effect, { label: 'nobody' });
  expect(await jobs(db, 'pause', ...which.split(' '), '--reason', 'why')).toMatchObject({ code: 0 });
  expect(await paused(db)).toEqual(labels);
  expect(await jobs(db, 'resume', ...which.split(' '))).toMatchObject({ code: 0 });
  expect(await paused(db)).toEqual([]);
});

test('a job keeps its flags when it is made again under its key, retried and handed back', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  const payload = { ...acme, label: 'x', key: 'k', fail: 'retry' as const };
  const id = await add(db, effect, payload);
  const [first] = await flags(db);
  expect(Object.keys(Object(first))).toHaveLength(7);
  expect(await db.transaction((tx) => enqueue(tx, effect, payload, { keyMode: 'replace' }))).toBe(id);
  expect(await flags(db)).toEqual([first]);
  await runClaimed(effect, await claimJob(db, id), db);
  expect(await flags(db)).toEqual([first]);
  await claimJob(db, id, 'gone');
  await returnJobs(db, 'gone');
  expect(await flags(db)).toEqual([first]);
});

test('a pause ends by itself, and what is dead or held is not paused', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const [acme] = await twoBrands(db);
  await add(db, effect, { ...acme, label: 'x' });
  const dead = await add(db, once, { ...acme, label: 'dead', fail: 'give_up' });
  await runClaimed(once, await claimJob(db, dead), db);
  await jobs(db, 'pause', '--brand', 'acme', '--reason', 'why', '--until', '2999-01-01T00:00:00Z');
  expect(await paused(db)).toEqual(['x']);
  await db.query('update ops.pauses set until = now()');
  expect(await paused(db)).toEqual([]);
  await using _ = await aWorker(db);
  await eventually(async () => expect(await effects(db)).toEqual(['dead', 'x']));
  expect(await jobs(db, 'resume', '--brand', 'acme')).toMatchObject({ code: 3 });
});

test.each([
  ['pause --reason why', 2, 'What is meant?'],
  ['pause --brand acme --reason why --until 2020-01-01T00:00:00Z', 2, 'is past'],
  ['pause --provider nobody --reason why', 2, 'There is no provider nobody'],
  ['pause --provider shopify --brand acme --reason why', 2, 'for all brands'],
  ['pause --task nothing --reason why', 2, 'There is no task nothing'],
  ['pause --brand nobody --reason why', 3, 'nobody'],
  ['resume --brand acme', 3, 'There is no pause of acme'],
])('jobs %s is refused', async (line, code, why) => {
  await using db = await freshDb();
  await twoBrands(db);
  const ran = await jobs(db, ...line.split(' '));
  expect(ran).toMatchObject({ code, stderr: expect.stringContaining(why) });
});
