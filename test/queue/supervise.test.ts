import { expect, test } from 'vitest';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { runProgram } from '../support/program.ts';
import { add, aWorker, effects } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';

// The library shuts itself down when it hears of a newer schema. Once nothing is newer, once it is.
async function tellOfMigration(db: TestDb): Promise<void> {
  const listening =
    "select pid from pg_stat_activity where datname = current_database() and query like 'LISTEN%'";
  await eventually(async () => expect(await db.column(listening)).toHaveLength(1));
  await db.query(`select pg_notify('worker:migrate', '{"migrationNumber": 21, "breaking": true}')`);
}

test('a library that ends by itself is started again, and jobs run as before', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using worker = runProgram('queue_worker.ts', [db.url]);
  expect(await worker.line()).toBe('ready');
  const [before] = await db.column('select pool_id from ops.workers');
  await tellOfMigration(db);
  await eventually(async () =>
    expect(await db.column('select pool_id from ops.workers')).not.toEqual([before]),
  );
  await add(db, effect, { label: 'a' });
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
});

test('a worker that meets a schema it was not written for ends, says why, and hands its jobs back', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using worker = runProgram('queue_worker.ts', [db.url]);
  expect(await worker.line()).toBe('ready');
  await db.query('insert into graphile_worker.migrations (id) values (21)');
  await tellOfMigration(db);
  expect(await worker.line()).toBe('NS_QUEUE_SCHEMA');
  expect(await worker.ended()).not.toBe(0);
  expect(await db.column('select ended_how from ops.workers')).toEqual(['stopped']);
});

// It looks its tasks up once and remembers the answer, also when that was an error.
test('a library that fails at every claim although the server answers is started again', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await add(db, effect, { label: 'a' });
  await db.query(`
    create sequence public.lookups;
    create function public.spoil() returns trigger language plpgsql as $$
    begin
      if nextval('public.lookups') = 1 then raise exception 'not now'; end if;
      return new;
    end $$;
    create trigger spoil before insert on graphile_worker._private_tasks
    for each row execute function public.spoil()`);
  await using _ = await aWorker(db);
  await eventually(async () => expect(await effects(db)).toEqual(['a']));
});
