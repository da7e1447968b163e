/** Each check of the doctor sees what it is for, with evidence and the command that mends it. */
import { expect, test } from 'vitest';
import { readConfig } from '#runtime/config.ts';
import { judgeArchiving } from '../../bin/cli/doctor/archiving.ts';
import type { Context, Result } from '../../bin/cli/doctor/check.ts';
import { exitCodeOf, summaryOf } from '../../bin/cli/doctor/index.ts';
import { judgeAge, transactionsOver } from '../../bin/cli/doctor/tables.ts';
import { freshDb } from '../support/db/db.ts';
import { examine, wrongOf } from '../support/doctor.ts';
import { aShopToSync } from '../support/providers/cli_shop.ts';
import { aShop, type Shop, TEST_KEYS, twoShops } from '../support/rows/factory.ts';

const newKey = `new:${Buffer.alloc(32, 9).toString('base64')}`;

test('a database that is fit passes each check of what is in it', async () => {
  await using db = await freshDb();
  await aShop(db);
  const { code, checks } = await examine(db);
  // What the server of the test is set to, whether a worker runs and what the date is, is not of this database.
  const elsewhere = [
    'settings',
    'jit of readers',
    'oldest waiting job',
    'retirements of providers',
    ...['max_connections', 'archiving'],
  ];
  expect(checks.filter(({ check, severity }) => severity !== 'ok' && !elsewhere.includes(check))).toEqual([]);
  expect(new Set(checks.map(({ check }) => check)).size).toBe(39);
  expect(code).toBe(exitCodeOf(checks));
});

test('a failure ends with 1, warnings alone with 6', () => {
  const of = (...severities: Result['severity'][]) =>
    exitCodeOf(severities.map((severity) => ({ severity })));
  expect([of('ok'), of('ok', 'warning'), of('warning', 'failure')]).toEqual([0, 6, 1]);
});

test('where nothing is wrong it says what it examined, and who says how the data stand', () => {
  const of = (...severities: Result['severity'][]) =>
    summaryOf(severities.map((severity, at) => ({ check: String(at), severity })));
  expect(of('ok', 'ok')).toBe(
    '2 checks of the installation found nothing wrong. How the data stand: npx nightshift status',
  );
  expect(of('ok', 'warning')).toBe('0 failures, 1 warning.');
});

test('a schema that is older or newer is a failure, and what needs our tables is left out', async () => {
  await using db = await freshDb();
  await db.query("insert into ops.migrations (name, run_on) values ('9999_tomorrow', now())");
  const newer = await examine(db);
  expect(wrongOf(newer.checks, 'schema')).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining('9999_tomorrow') },
  ]);
  expect(newer.checks.some(({ check }) => check === 'dead jobs')).toBe(false);
  await db.query("delete from ops.migrations where name in ('9999_tomorrow', '0017_nights')");
  expect(wrongOf((await examine(db)).checks, 'schema')).toMatchObject([
    { evidence: expect.stringContaining('0017_nights'), mend: expect.stringContaining('nightshift migrate') },
  ]);
});

test('a check that cannot be carried out is a failure with its error, and the others go on', async () => {
  await using db = await freshDb();
  await db.query('drop view ops.stale_locks');
  const { code, checks } = await examine(db);
  expect(code).toBe(1);
  expect(wrongOf(checks, 'stale locks')).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining('ops.stale_locks') },
  ]);
  expect(checks.at(-1)?.check).toBe('unusual gaps');
});

test('a log that is not archived matters once a connection is to a real provider', async () => {
  await using db = await freshDb();
  const { connection } = await aShop(db);
  const found = async () => (await examine(db)).checks.filter(({ check }) => check === 'archiving');
  expect(await found()).toMatchObject([
    { severity: 'warning', evidence: expect.stringContaining('with 1 connection to real providers') },
  ]);
  await db.query("update app.connections set base_url = 'http://127.0.0.1:4000/shop' where id = $1", [
    connection.id,
  ]);
  expect(await found()).toMatchObject([{ severity: 'ok' }]);
  const on = { isOn: true, realConnections: 1, failing: null };
  expect(judgeArchiving(on)).toMatchObject({ severity: 'ok' });
  expect(judgeArchiving({ ...on, failing: new Date(0) })).toMatchObject({ severity: 'failure' });
});

test('transaction ids are a warning once autovacuum is late, and a failure before the server stops', () => {
  const freeze = 200_000_000;
  const of = (xid: number) => judgeAge(xid, freeze).severity;
  expect([of(freeze), of(2 * freeze), of(8 * freeze)]).toEqual(['ok', 'warning', 'failure']);
});

test('a pooler that drops our settings, and jit for readers, are seen', async () => {
  await using db = await freshDb();
  const url = new URL(db.url);
  url.searchParams.set('options', '-c timezone=Europe/Paris');
  const { checks } = await examine(db, { DATABASE_URL: url.href });
  expect(wrongOf(checks, 'session settings')).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining('timezone is Europe/Paris') },
  ]);
  for (const [jit, findings] of [
    ['on', 1],
    ['off', 0],
  ] as const) {
    await db.query(
      `do $$ begin execute format('alter database %I set jit = ${jit}', current_database()); end $$`,
    );
    expect(wrongOf((await examine(db)).checks, 'jit of readers')).toHaveLength(findings);
  }
});

test('a key that is not the first, or is not there, is said for those that it seals', async () => {
  await using db = await freshDb();
  await twoShops(db);
  const sealed = async (keys: string) =>
    wrongOf((await examine(db, { NIGHTSHIFT_SECRET_KEYS: keys })).checks, 'sealing keys');
  expect(await sealed(TEST_KEYS)).toEqual([]);
  expect(await sealed(`${newKey},${TEST_KEYS}`)).toMatchObject([
    {
      severity: 'warning',
      evidence: expect.stringContaining('2 connections'),
      mend: expect.stringContaining('reseal'),
    },
  ]);
  expect(await sealed(newKey)).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining('key test') },
  ]);
});

test('providers are asked about keys only when that is wanted', async () => {
  await using db = await freshDb();
  await using shop = await aShopToSync(db, { secret: 'shpat_another' });
  expect(wrongOf((await examine(db, shop.env)).checks, 'keys at providers')).toEqual([]);
  expect(wrongOf((await examine(db, shop.env, '--connections')).checks, 'keys at providers')).toMatchObject([
    {
      severity: 'failure',
      evidence: expect.stringContaining('fails its check'),
      mend: expect.stringContaining('shop --brand acme'),
    },
  ]);
});

test('a stream that is quiet for longer than it ever was is told of, and one that is often quiet is not', async () => {
  await using db = await freshDb();
  const [busy, other] = await twoShops(db);
  const run = (shop: Shop, daysAgo: number, stream: string | null, changed: number) =>
    db.query(
      `insert into ops.job_runs (job_id, task, brand_id, connection_id, payload, attempt, pool_id, claimed_at, started_at,
                                 finished_at, outcome, tally)
       select 1, case when $4::text is null then 'sync_connection' else 'sync_stream' end, $1, $2,
              jsonb_build_object('stream', $4::text), 1, '', at, at, at, 'succeeded',
              case when $4 is null then jsonb_build_object('changed', $5::int, 'streams', jsonb_build_object('shopify.orders', jsonb_build_object('changed', $5::int)))
                   else jsonb_build_object('changed', $5::int) end
       from (select now() - make_interval(days => $3) as at) t`,
      [shop.brand.id, shop.connection.id, daysAgo, stream, changed],
    );
  for (const day of [12, 11, 10, 9, 8]) await run(busy, day, day % 2 ? null : 'shopify.orders', 3);
  for (const day of [3, 2, 1]) await run(busy, day, null, 0);
  for (const day of [50, 40, 30, 20, 8]) await run(other, day, null, 3); // was quiet for twelve days before
  for (const day of [40, 39, 38, 37]) await run(other, day, 'shopify.products', 3); // too few to tell
  expect(wrongOf((await examine(db)).checks, 'unusual gaps')).toEqual([
    {
      severity: 'warning',
      // up to the run of yesterday, not until now
      evidence: expect.stringMatching(
        new RegExp(`^shopify.orders of ${busy.connection.name} .* nothing new for 7 d 0 h`),
      ),
      mend: expect.stringContaining('--stream shopify.orders --full'),
    },
  ]);
});

test('a session that keeps an old snapshot is named, with its age', async () => {
  await using db = await freshDb();
  const context: Context = { db, url: db.url, embedded: false, config: readConfig({}), asksProviders: false };
  await db.transaction(async (tx) => {
    await tx.query("select set_config('application_name', 'a long report', false)");
    await tx.query('create table public.in_the_midst (a int)');
    const { rows } = await tx.query('select pg_backend_pid() as pid');
    expect(await transactionsOver(0).run(context)).toMatchObject([
      {
        evidence: expect.stringContaining('a long report'),
        mend: expect.stringContaining(`(${rows[0].pid})`),
      },
    ]);
  });
  expect(await transactionsOver(0).run(context)).toMatchObject({ severity: 'ok' });
});
