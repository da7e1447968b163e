import { expect, test } from 'vitest';
import { nightshift } from '../support/cli.ts';
import { freshDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { add, aWorker, effects } from '../support/queue.ts';
import { effect, makeEffects, once } from '../support/queue_tasks.ts';
import { aRetailer } from '../support/rows/factory.ts';

test('a dead job is listed, explained and put back, and then runs again', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const env = { DATABASE_URL: db.url };
  const id = await add(db, once, { label: 'a', fail: 'give_up' });
  const early = await nightshift(['jobs', 'retry', id], { env });
  expect(early).toMatchObject({ code: 4, stderr: expect.stringContaining('is waiting') });
  {
    await using _ = await aWorker(db);
    await eventually(async () =>
      expect(await db.column('select outcome from ops.job_runs where finished_at is not null')).toEqual([
        'dead',
      ]),
    );
  }
  const listed = await nightshift(['jobs', 'list', '--state', 'dead', '--json'], { env });
  expect(listed.json()).toMatchObject([{ job_id: id, task: 'once', state: 'dead' }]);
  const shown = await nightshift(['jobs', 'show', id], { env });
  expect(shown.stdout).toContain('NS_PROVIDER_UNAVAILABLE: The provider is in trouble.');
  expect(shown.stdout).toContain('next: Do what a person does.');
  const status = await nightshift(['status', '--json'], { env });
  expect(status.json()).toMatchObject([
    { jobs: { dead: 1 }, attention: [expect.stringContaining('failures list')] },
  ]);

  expect(await nightshift(['jobs', 'retry', id], { env })).toMatchObject({ code: 0 });
  const waiting = await nightshift(['jobs', 'show', id, '--json'], { env });
  expect(waiting.json()).toMatchObject([{ id, state: 'waiting', runs: [{ outcome: 'dead' }] }]);
  await using _ = await aWorker(db);
  await eventually(async () => expect(await effects(db)).toEqual(['a', 'a']));
});

test('what has ended is listed with its figures, latest first', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const env = { DATABASE_URL: db.url };
  const ids = [await add(db, effect, { label: 'a' })];
  await using _ = await aWorker(db);
  const ended = () => db.column('select count(*) from ops.job_runs where finished_at is not null');
  await eventually(async () => expect(await ended()).toEqual([1])); // the latest must be the other
  ids.push(await add(db, effect, { label: 'b', incomplete: 'two are missing' }));
  await eventually(async () => expect(await ended()).toEqual([2]));
  const { code, stdout } = await nightshift(['jobs', 'list', '--finished'], { env });
  expect(code).toBe(0);
  const cells = stdout.split('\n').map((line) => line.split('\t'));
  expect(cells.slice(1, 3).map(([job, task, outcome]) => [job, task, outcome])).toEqual([
    [ids[1], 'effect', 'partial'],
    [ids[0], 'effect', 'succeeded'],
  ]);
  expect(cells[1]?.at(-1)).toBe('two are missing');
});

test('a rollup that is waited for works on the marked days and says what it did', async () => {
  await using db = await freshDb();
  const { brandId, id, slug } = await aRetailer(db);
  const [brand] = await db.column('select slug from app.brands where id = $1', [brandId]);
  const mark =
    "insert into ops.marks (brand_id, retailer_id, subject, day, marked_at) values ($1, $2, 'sales', $3, now())";
  for (const day of ['2026-03-01', '2026-03-01', '2026-03-03']) await db.query(mark, [brandId, id, day]);
  const env = { DATABASE_URL: db.url, NIGHTSHIFT_SECRET_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}` };
  const run = ['rollup', 'run', '--brand', String(brand), '--json'];
  const tried = await nightshift([...run, '--dry-run'], { env });
  expect(tried.json()).toEqual([
    { brand, retailer: slug, days: 2, from: '2026-03-01', to: '2026-03-03' },
    { brand, retailer: null, days: 0, from: null, to: null },
  ]);
  const done = await nightshift([...run, '--wait'], { env });
  expect(done.code).toBe(0);
  expect(done.json()).toMatchObject([
    { brand, retailer: slug, state: 'succeeded', days: 2 },
    { brand, retailer: null, state: 'succeeded', days: 0 },
  ]);
  expect(await db.column('select count(*) from ops.marks')).toEqual([0]);
});
