import { expect, test } from 'vitest';
import { tellBreakers } from '#tasks/alerts/breaker_alerts.ts';
import { tasks } from '#tasks/index.ts';
import { nightshift } from '../support/cli.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { eventually } from '../support/eventually.ts';
import { add, aWorker } from '../support/queue.ts';
import { effect, makeEffects } from '../support/queue_tasks.ts';
import { type Place, twoBrands } from '../support/rows/two_brands.ts';
import { claimJob, runClaimed, testServices } from '../support/run.ts';
import { aReceiver } from '../support/schedules/nights.ts';

/** A run of the connection that its provider is too busy for, after the breaker's time has come. */
async function fail(db: TestDb, place: Place): Promise<void> {
  await db.query(
    'update ops.pauses set until = now(), paused_at = now() - (until - paused_at) where by_breaker',
  );
  const id = await add(db, effect, { ...place, label: 'x', fail: 'retry' });
  await runClaimed(effect, await claimJob(db, id), db);
  await db.query('delete from graphile_worker._private_jobs where id = $1', [id]);
}

const tell = (db: TestDb) => tellBreakers(db, new Date());
const alerts = (db: TestDb) =>
  db.rows(
    `select b.slug, a.kind, a.promise, a.resolved_at is not null as resolved
     from ops.alerts a join app.brands b on b.id = a.brand_id order by a.id`,
  );

test('a breaker that opens and closes alarms nobody; one that stays open is alerted once, and resolved', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  await using receiver = await aReceiver();
  const [acme, brio] = await twoBrands(db);
  for (let n = 0; n < 10; n++) await fail(db, acme); // five until it opens: 1 min, then 2, 4, 8, 16, 32
  await fail(db, brio);
  await tell(db);
  expect(await alerts(db)).toEqual([]);
  await fail(db, acme); // an hour
  await Promise.all([tell(db), tell(db), tell(db)]);
  await fail(db, acme);
  await tell(db);
  const promise = 'the provider of connection mail answers';
  expect(await alerts(db)).toEqual([{ slug: 'acme', kind: 'breaker', promise, resolved: false }]);
  const secret = 'a secret of sixteen characters';
  const services = { ...testServices, alerts: { webhook: { url: receiver.url, secret } } };
  await using _ = await aWorker(db, { tasks: [...tasks, effect], services });
  await eventually(async () => expect(receiver.taken).toHaveLength(1));
  expect(JSON.parse(receiver.taken[0]?.body ?? '')).toMatchObject({
    ...{ state: 'raised', kind: 'breaker', brand: 'acme', connection: 'mail', promise },
    cause: expect.stringContaining('NS_PROVIDER_UNAVAILABLE'),
    hint: expect.stringContaining('failures list --brand acme --connection mail'),
  });
  const resumed = ['jobs', 'resume', '--brand', 'acme', '--connection', 'mail'];
  expect(await nightshift(resumed, { env: { DATABASE_URL: db.url } })).toMatchObject({ code: 0 });
  await tell(db);
  expect(await alerts(db)).toMatchObject([{ resolved: false }]); // nobody was answered yet
  const id = await add(db, effect, { ...acme, label: 'x' });
  await eventually(async () =>
    expect(await db.column('select outcome from ops.job_runs where job_id = $1', [id])).toEqual([
      'succeeded',
    ]),
  );
  await Promise.all([tell(db), tell(db)]);
  expect(await alerts(db)).toMatchObject([{ resolved: true }]);
  await eventually(async () => expect(receiver.taken).toHaveLength(2));
  expect(JSON.parse(receiver.taken[1]?.body ?? '')).toMatchObject({ state: 'resolved' });
});

test('an alert that cannot be raised keeps no other from it', async () => {
  await using db = await freshDb();
  await makeEffects(db);
  const places = await twoBrands(db);
  for (const place of places) for (let n = 0; n < 11; n++) await fail(db, place);
  await db.query(`
    create function public.refuse() returns trigger language plpgsql as $$ begin
      if new.brand_id = (select id from app.brands where slug = 'acme') then raise 'no'; end if;
      return new;
    end $$;
    create trigger refuse before insert on ops.alerts for each row execute function public.refuse();`);
  await expect(tell(db)).rejects.toThrow('no');
  expect(await alerts(db)).toMatchObject([{ slug: 'brio' }]);
});
