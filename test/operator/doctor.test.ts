/** Each check of the doctor sees what it is for, with evidence and the command that mends it. */
import { expect, test } from 'vitest';
import { providers, streams } from '#connectors/providers.ts';
import { readConfig } from '#runtime/config.ts';
import { rejectRows } from '#sql/load/quarantine.ts';
import type { Context, Result } from '../../bin/cli/doctor/check.ts';
import { exitCodeOf } from '../../bin/cli/doctor/index.ts';
import { retiring } from '../../bin/cli/doctor/retirements.ts';
import { judgeClock, judgeDisk } from '../../bin/cli/doctor/server.ts';
import { transactionsOver } from '../../bin/cli/doctor/tables.ts';
import { judgeOffsets } from '../../bin/cli/doctor/zones.ts';
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
    'max_connections',
  ];
  expect(checks.filter(({ check, severity }) => severity !== 'ok' && !elsewhere.includes(check))).toEqual([]);
  expect(new Set(checks.map(({ check }) => check)).size).toBe(26);
  expect(code).toBe(exitCodeOf(checks));
});

test('a failure ends with 1, warnings alone with 6', () => {
  const of = (...severities: Result['severity'][]) =>
    exitCodeOf(severities.map((severity) => ({ severity })));
  expect([of('ok'), of('ok', 'warning'), of('warning', 'failure')]).toEqual([0, 6, 1]);
});

type Case = {
  check: string;
  breaks: string;
  severity: Result['severity'];
  evidence: RegExp;
  mend: RegExp;
};

const CASES: Case[] = [
  {
    ...{
      check: 'zone data',
      severity: 'failure',
      evidence: /does not know the zone Mars\/Base/,
      mend: /tzdata/,
    },
    breaks: "update app.brands set time_zone = 'Mars/Base' where id = :brand",
  },
  {
    ...{ check: 'invalid objects', severity: 'failure', evidence: /not_yet of app.brands is not validated/ },
    breaks: "alter table app.brands add constraint not_yet check (slug <> 'x') not valid",
    mend: /validate constraint not_yet/,
  },
  {
    ...{
      check: 'bloat',
      severity: 'warning',
      evidence: /ops.early_deletions has 20,?000 dead rows/,
      mend: /vacuum/,
    },
    breaks: `alter table ops.early_deletions set (autovacuum_enabled = false);
             insert into ops.early_deletions
             select :brand, :connection, 'x', n::text, now(), now() from generate_series(1, 20000) n;
             delete from ops.early_deletions; select pg_stat_force_next_flush()`,
  },
  {
    ...{
      check: 'oldest waiting job',
      severity: 'failure',
      evidence: /No worker runs, and job \d+ \(retention\) has been waiting for/,
    },
    breaks: "select graphile_worker.add_job('retention', '{}', run_at => now() - interval '1 hour')",
    mend: /nightshift up/,
  },
  {
    ...{
      check: 'dead jobs',
      severity: 'failure',
      evidence: /1 odd job dead, 0 made good/,
      mend: /jobs show \d+/,
    },
    breaks: `select graphile_worker.add_job('odd', '{}', job_key => 'odd');
             select graphile_worker.permanently_fail_jobs(array(select job_id from ops.jobs where task = 'odd'), 'no')`,
  },
  {
    ...{
      check: 'stale locks',
      severity: 'failure',
      evidence: /ghost has held 1 job and 0 lanes/,
      mend: /worker/,
    },
    breaks: `select graphile_worker.add_job('held_by_nobody', '{}', job_key => 'ghost');
             update graphile_worker._private_jobs set locked_by = 'ghost', locked_at = now() - interval '1 hour'
             where key = 'ghost'`,
  },
  {
    ...{
      check: 'schedules',
      severity: 'failure',
      evidence: /No scheduler has looked at 1 schedule/,
      mend: /up/,
    },
    breaks: `insert into ops.schedules (name, task, expression, decided_to, next_slot)
             values ('late', 'retention', '0 2 * * *', now(), now() - interval '1 hour')`,
  },
  {
    ...{
      check: 'schedules',
      severity: 'warning',
      evidence: /\d+ never has no next slot/,
      mend: /schedules edit/,
    },
    breaks: `insert into ops.schedules (name, task, expression, decided_to) values ('never', 'retention', '0 2 31 2 *', now())`,
  },
  {
    ...{
      check: 'schedules',
      severity: 'warning',
      evidence: /paused: stocktaking, by ann/,
      mend: /schedules resume/,
    },
    breaks: `insert into ops.schedules (name, task, expression, decided_to, next_slot, paused_at, paused_by, paused_reason)
             values ('quiet', 'retention', '0 2 * * *', now(), now() + interval '1 day', now(), 'ann', 'stocktaking')`,
  },
  {
    ...{
      check: 'pauses',
      severity: 'warning',
      evidence: /ann paused acme without an end: they move; 0 jobs/,
    },
    breaks: `insert into ops.pauses (flag, brand_id, reason, paused_by)
             values (ops.pause_flag(null, null, :brand, null), :brand, 'they move', 'ann')`,
    mend: /jobs resume --brand acme/,
  },
  {
    ...{
      check: 'provisional nights',
      severity: 'failure',
      evidence: /2026-01-02 of acme has been provisional for more than a day/,
    },
    breaks: `insert into ops.nights (brand_id, day, state, begun_at, patience_until, deadline_at)
             values (:brand, '2026-01-02', 'provisional', '2026-01-03', '2026-01-03', '2026-01-03')`,
    mend: /nights show --brand acme --date 2026-01-02/,
  },
  {
    ...{
      check: 'open alerts',
      severity: 'failure',
      evidence: /Broken for acme: a promise. a cause/,
      mend: /a hint/,
    },
    breaks: `insert into ops.alerts (brand_id, kind, promise, cause, hint, raised_at) values (:brand, 'night', 'a promise', 'a cause', 'a hint', now())`,
  },
  {
    ...{
      check: 'held connections',
      severity: 'failure',
      evidence: /has been held since .*: the key is refused/,
    },
    breaks:
      "update app.connections set held_at = now(), held_reason = 'the key is refused' where id = :connection",
    mend: /connections check \S+ --brand acme/,
  },
  {
    ...{
      check: 'tokens',
      severity: 'warning',
      evidence: /ended on 2026-01-01/,
      mend: /sync run --brand acme/,
    },
    breaks: "update app.connections set token_expires_at = '2026-01-01' where id = :connection",
  },
];

test('what is wrong is found, in the rows of the brand that it is in', async () => {
  await using db = await freshDb();
  const [one] = [await aShop(db, { slug: 'acme' }), await aShop(db, { slug: 'brio' })];
  for (const { breaks } of CASES) await db.query(naming(one, breaks));
  const stream = { brandId: one.brand.id, connectionId: one.connection.id, stream: 'shopify.orders' };
  await db.transaction((tx) => rejectRows(tx, stream, [{ key: '1', reason: 'strange', payload: {} }]));
  const { code, checks } = await examine(db, { NIGHTSHIFT_CONCURRENCY: '64' });
  expect(code).toBe(1);
  for (const { check, severity, evidence, mend } of CASES)
    expect(wrongOf(checks, check)).toContainEqual({
      ...{ severity, evidence: expect.stringMatching(evidence), mend: expect.stringMatching(mend) },
    });
  expect(wrongOf(checks, 'quarantined records')).toMatchObject([
    {
      severity: 'warning',
      evidence: expect.stringContaining('1 record'),
      mend: expect.stringContaining('--brand acme'),
    },
  ]);
  expect(wrongOf(checks, 'max_connections')).toMatchObject([{ severity: 'warning' }]);
  for (const check of ['provisional nights', 'open alerts', 'held connections', 'tokens'])
    expect(wrongOf(checks, check)).toHaveLength(1);
});

function naming({ brand, connection }: Shop, sql: string): string {
  return sql.replaceAll(':brand', `'${brand.id}'`).replaceAll(':connection', `'${connection.id}'`);
}

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

test('clocks, disks and zones are judged by how far they are off', () => {
  expect(judgeClock(1_500, 10).severity).toBe('ok');
  expect(judgeClock(4_000, 3_000).severity).toBe('ok'); // the answer took that long
  expect(judgeClock(-4_000, 10)).toMatchObject({
    severity: 'warning',
    evidence: expect.stringContaining('behind'),
  });
  expect(judgeClock(60_000, 10)).toMatchObject({
    severity: 'failure',
    evidence: expect.stringContaining('ahead'),
  });
  const gib = 1024 ** 3;
  expect(judgeDisk({ free: 50 * gib, total: 100 * gib }, '').severity).toBe('ok');
  expect(judgeDisk({ free: 5 * gib, total: 100 * gib }, '').severity).toBe('warning');
  expect(judgeDisk({ free: gib / 2, total: gib }, '').severity).toBe('failure');
  const at = new Date('2026-07-01T00:00:00Z');
  const of = (zone: string, minutes: number) => judgeOffsets([{ zone, at, minutes }]);
  expect(of('Europe/London', 60)).toEqual([]);
  expect(of('Asia/Kathmandu', 345)).toEqual([]);
  expect(of('Europe/London', 0)).toMatchObject([
    { severity: 'failure', evidence: expect.stringContaining('this runtime 60') },
  ]);
  expect(of('Mars/Base', 0)).toMatchObject([{ evidence: expect.stringContaining('does not know') }]);
});

test('a retirement is told of 60 days ahead and once it is past, of providers that somebody reads', async () => {
  await using db = await freshDb();
  await aShop(db);
  const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const row = (days: number) => ({ on: day(days), what: `field ${days}`, instead: 'another', source: '' });
  const field = { stream: 'shopify.orders', name: 'x' };
  const table = [{ ...row(-2), field }, ...[-1, 1, 10, 59, 70].map(row)];
  const given = providers.map((provider) => ({ ...provider, retirements: table }));
  expect(await retiring(db, given)).toEqual(
    [
      ['failure', `Shopify has taken away field -1, since ${day(-1)}.`],
      ['warning', `Shopify takes away field 1 on ${day(1)}, in 1 day.`],
      ['warning', `Shopify takes away field 10 on ${day(10)}, in 10 days.`],
      ['warning', `Shopify takes away field 59 on ${day(59)}, in 59 days.`],
    ].map(([severity, evidence]) => ({ severity, evidence, mend: 'another' })),
  );
});

test('no field that a provider has taken away is mapped', () => {
  const today = new Date().toISOString().slice(0, 10);
  const fields = providers
    .flatMap(({ retirements }) => retirements)
    .flatMap(({ on, field }) => (field && on <= today ? field : []));
  expect(fields.length).toBeGreaterThan(5);
  expect(fields.filter(isMapped)).toEqual([]);
  for (const { stream } of fields) expect(streams.map(({ name }) => name)).toContain(stream);
  expect(isMapped({ stream: 'stripe.subscriptions', name: 'status' })).toBe(true);
});

/** Whether a column of the stream's own table is read from the field. */
function isMapped({ stream, name }: { stream: string; name: string }): boolean {
  const [own] = streams.find((one) => one.name === stream)?.tables ?? [];
  return own !== undefined && 'fields' in own && own.fields instanceof Set && own.fields.has(name);
}

// What only some installations use cannot be told from here, and would warn the others for ever.
test('each retirement is of a field that we read or of the version that we pin, on a day that exists', () => {
  for (const { field, what } of providers.flatMap(({ retirements }) => retirements))
    expect(field ?? what).toEqual(field ?? expect.stringMatching(/^API version /));
  for (const { on } of providers.flatMap(({ retirements }) => retirements))
    expect(new Date(on).toISOString().slice(0, 10)).toBe(on);
});
