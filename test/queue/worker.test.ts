import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask } from '#tasks/task.ts';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { add, aWorker, effects, jobsLeft, lockedLanes, runs } from '../support/queue.ts';
import { effect, hasty, makeEffects } from '../support/queue_tasks.ts';
import { claimJob, runClaimed } from '../support/run.ts';

test('a worker works the queue off, tells the library nothing twice and leaves nothing in its name', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  {
    await using _ = await aWorker(db);
    for (const label of ['a', 'b', 'c']) await add(db, effect, { label });
    await eventually(async () => expect(await effects(db)).toHaveLength(3));
  }
  expect(await jobsLeft(db)).toEqual([]);
  expect(await db.column('select outcome from ops.job_runs')).toEqual([
    'succeeded',
    'succeeded',
    'succeeded',
  ]);
  expect(await db.rows('select ended_how, handed_back_at is not null as clean from ops.workers')).toEqual([
    { ended_how: 'stopped', clean: true },
  ]);
});

test('jobs of one lane run one after the other while others overtake them', async () => {
  await using db = await freshDb();
  const bothInside = Promise.withResolvers<void>();
  const inside = new Map<string, number>();
  const worst = new Map<string, number>();
  const crowd = defineTask({
    name: 'crowd',
    payload: z.strictObject({ lane: z.string() }),
    lane: ({ lane }) => lane,
    attempts: 1,
    timeoutSeconds: 30,
    async run({ lane }) {
      const others = (inside.get(lane) ?? 0) + 1;
      inside.set(lane, others);
      inside.set('all', (inside.get('all') ?? 0) + 1);
      for (const name of [lane, 'all'])
        worst.set(name, Math.max(worst.get(name) ?? 0, inside.get(name) ?? 0));
      if (inside.get('all') === 2) bothInside.resolve();
      await bothInside.promise; // the first of each lane wait for each other, however slow a claim is
      await sleep(30);
      inside.set(lane, others - 1);
      inside.set('all', (inside.get('all') ?? 0) - 1);
      return {};
    },
  });
  for (let n = 0; n < 5; n++) for (const lane of ['a', 'b']) await add(db, crowd, { lane });
  await using _ = await aWorker(db, { tasks: [crowd] });
  await eventually(async () => expect(await db.column('select outcome from ops.job_runs')).toHaveLength(10));
  await eventually(async () => expect(await jobsLeft(db)).toEqual([]));
  expect(Object.fromEntries(worst)).toEqual({ a: 1, b: 1, all: 2 });
  expect(await lockedLanes(db)).toEqual([]);
});

test('a lane is free again after every way in which a job of it can end', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using _ = await aWorker(db);
  for (const fail of ['retry', 'give_up', 'hold', 'wait', 'plain'] as const) {
    await add(db, effect, { label: fail, lane: 'l', fail });
  }
  await add(db, effect, { label: 'last', lane: 'l' });
  await eventually(async () => expect(await effects(db)).toContain('last'));
  await eventually(async () => expect(await lockedLanes(db)).toEqual([]));
});

test('a body that heeds its signal ends at the timeout, and the job is tried again later', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using _ = await aWorker(db);
  await add(db, hasty, { label: 'slow', ms: 60_000 });
  await eventually(async () =>
    expect(await runs(db)).toEqual([
      { task: 'hasty', attempt: 1, outcome: 'retrying', error_code: 'NS_TASK_TIMEOUT' },
    ]),
  );
  expect(await jobsLeft(db)).toMatchObject([{ attempts: 1, locked: false, due: false }]);
});

// Nothing can stop JavaScript that does not want to stop: it must lose its claim instead.
test('a body that goes on after its timeout gives its slot back and can commit nothing more', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const late = Promise.withResolvers<unknown>();
  const stubborn = defineTask({
    ...hasty,
    async run({ label }, context) {
      await sleep(4_000); // past the timeout and the grace after it
      const write = context.db.transaction((tx) =>
        tx.query('insert into public.effects values ($1)', [label]),
      );
      late.resolve(await write.catch((error) => error));
      return {};
    },
  });
  await using _ = await aWorker(db, { concurrency: 1, tasks: [stubborn, effect] });
  await add(db, stubborn, { label: 'stubborn' });
  await add(db, effect, { label: 'next' });
  await eventually(async () => expect(await effects(db)).toEqual(['next']));
  expect(await late.promise).toMatchObject({ code: 'NS_CLAIM_LOST' });
  expect(await effects(db)).toEqual(['next']);
  expect((await runs(db))[0]).toMatchObject({ outcome: 'retrying', error_code: 'NS_TASK_TIMEOUT' });
});

test('a transaction that is open at the timeout is broken off, so that the job can be handed on', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const open = defineTask({
    ...hasty,
    async run({ label }, context) {
      await context.db.transaction(async (tx) => {
        await tx.query('insert into public.effects values ($1)', [label]);
        await tx.query('select pg_sleep(50)');
      });
      return {};
    },
  });
  await using _ = await aWorker(db, { tasks: [open] });
  await add(db, open, { label: 'open' });
  await eventually(async () => expect((await runs(db))[0]).toMatchObject({ outcome: 'retrying' }));
  expect(await effects(db)).toEqual([]);
  expect(await jobsLeft(db)).toMatchObject([{ locked: false }]);
});

// The record is to begin, and the first transaction takes the row of the job just before: then beginning
// waits for it.
test('a transaction that hangs is broken off even if the beginning of the run waits for it', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const hasRow = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const hanging = defineTask({
    ...hasty,
    async run({ label }, context) {
      await asked.promise;
      await context.db.transaction(async (tx) => {
        hasRow.resolve();
        await tx.query('insert into public.effects values ($1)', [label]);
        await tx.query('select pg_sleep(10)');
      });
      return {};
    },
  });
  const control: typeof db = {
    ...db,
    query: async (statement, values) => {
      if (Object(statement).name === 'begin run') {
        asked.resolve();
        await hasRow.promise;
      }
      return db.query(statement, values);
    },
  };
  const job = await claimJob(db, await add(db, hanging, { label: 'hanging' }));

  expect(await runClaimed(hanging, job, db, { control })).toMatchObject({ outcome: 'retrying' });

  expect(await effects(db)).toEqual([]);
  expect(await jobsLeft(db)).toMatchObject([{ locked: false }]);
});

test('a stop lets running jobs finish, and takes no new ones', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const worker = await aWorker(db);
  for (const label of ['a', 'b']) await add(db, effect, { label, ms: 600 });
  await eventually(async () => expect(await runs(db)).toHaveLength(2));
  const stopping = worker.stop();
  await add(db, effect, { label: 'too late' });
  await stopping;
  await worker.stopped;
  const done = (await runs(db)).filter(({ outcome }) => outcome !== 'released'); // one that a claim under way took
  expect(done).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]);
  expect((await effects(db)).sort()).toEqual(['a', 'b']);
  expect(await jobsLeft(db)).toMatchObject([{ attempts: 0, locked: false }]);
});

test.each([false, true])(
  'what outlasts the time to drain is handed back at once and costs no attempt (deaf body: %s)',
  async (deaf) => {
    await using db = await freshDb();
    await makeEffects(db);
    {
      await using worker = await aWorker(db, { drainSeconds: 0.1 });
      await add(db, effect, { label: 'long', ms: 60_000, deaf, lane: 'l', key: 'k' });
      await eventually(async () => expect(await runs(db)).toHaveLength(1));
      await worker.stop();
    }
    expect(await runs(db)).toMatchObject([{ attempt: 1, outcome: 'released' }]);
    expect(await jobsLeft(db)).toMatchObject([{ attempts: 0, locked: false, due: true }]);
    expect(await lockedLanes(db)).toEqual([]);
    expect(await db.column('select key from graphile_worker.jobs')).toEqual(['effect:k']);
  },
);

test('errors that a person must act on are reported, others are not', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const reported: unknown[] = [];
  await using _ = await aWorker(db, { report: (error, tags) => reported.push([String(error), tags]) });
  for (const fail of ['retry', 'give_up', 'wait'] as const) await add(db, effect, { label: fail, fail });
  await eventually(async () =>
    expect(await db.column("select id from ops.job_runs where outcome <> 'running'")).toHaveLength(3),
  );
  await eventually(async () => expect(reported).toHaveLength(1));
  expect(reported).toEqual([['Trouble: The provider is in trouble.', { task: 'effect' }]]);
});

test('a worker refuses a database whose schema it was not written for', async () => {
  await using db = await freshDb();
  await db.query('insert into graphile_worker.migrations (id) values (21)');
  await expect(aWorker(db)).rejects.toMatchObject({ code: 'NS_QUEUE_SCHEMA' });
});
