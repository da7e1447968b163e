/** Who may read what, tried as those roles. */
import { expect, test } from 'vitest';
import { migrate } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { grantReaders, rolesToMake } from '#sql/tenants/platform.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';
import { ownPostgres } from '../support/db/own_postgres.ts';

const viewsOf = (db: TestDb) =>
  db.column(
    "select c.oid::regclass::text from pg_class c where relnamespace = 'bi'::regnamespace and relkind = 'v' order by 1",
  );

/** What PostgreSQL says to a role that runs a statement: nothing, or why not. */
async function tried(db: TestDb, role: string, statement: string): Promise<string> {
  return db
    .transaction(async (tx) => {
      await tx.query(`set local role ${role}`);
      await tx.query(statement);
      return 'done';
    })
    .catch((error: Error) => error.message);
}

test('a reader reads every view of bi but the figures of the platform', async () => {
  await using db = await freshDb();
  const views = await viewsOf(db);
  expect(views.length).toBeGreaterThan(8);
  for (const view of views) {
    const answer = await tried(db, 'nightshift_reader', `select * from ${view} limit 1`);
    expect(answer, String(view)).toBe(
      view === 'bi.platform_metrics' ? 'permission denied for view platform_metrics' : 'done',
    );
    expect(await tried(db, 'nightshift_operator', `select * from ${view} limit 1`), String(view)).toBe(
      'done',
    );
  }
});

test.each(['nightshift_reader', 'nightshift_operator'])(
  '%s reads no rows of providers, and writes nothing',
  async (role) => {
    await using db = await freshDb();
    const refused = [
      'select 1 from raw.shopify_orders',
      'select 1 from agg.daily_sales',
      'select secret from app.connections',
      'select payload from ops.rejected_rows',
      "insert into app.fx_rates values ('USD', '2026-01-01', 1, 'me', now())",
      'delete from ops.job_runs',
      'select graphile_worker.complete_jobs(array[1])',
      'create table bi.mine ()',
      'create view bi.mine as select 1 as one',
    ];
    for (const statement of refused)
      expect(await tried(db, role, statement), statement).toMatch(/^permission denied/);
    const status = await tried(
      db,
      role,
      'select row_key, reason from ops.job_runs, ops.audit_log, ops.rejected_rows',
    );
    expect(status).toBe(role === 'nightshift_operator' ? 'done' : 'permission denied for schema ops');
  },
);

test('a view that comes later is there for both, and asking again takes nothing away', async () => {
  await using db = await freshDb();
  await db.query('create view bi.later as select 1 as one');
  await db.query('create table ops.later (n integer)');
  for (let times = 0; times < 2; times++) {
    expect(await tried(db, 'nightshift_reader', 'select one from bi.later')).toBe('done');
    expect(await tried(db, 'nightshift_operator', 'select one from bi.later, ops.later')).toBe('done');
    expect(await tried(db, 'nightshift_reader', 'select 1 from bi.platform_metrics')).toMatch(
      /^permission denied/,
    );
    expect(await grantReaders(db)).toEqual([]);
  }
});

// Roles belong to the whole server, so that its databases meet when they are made.
test('rights that many give at the same moment are given', async () => {
  await using db = await freshDb();
  for (let round = 0; round < 5; round++) {
    const all = await Promise.all(Array.from({ length: 6 }, () => grantReaders(db)));
    expect(all.flat()).toEqual([]);
  }
});

test('an account that may not make roles is told what to type; databases that migrate together make them once', async () => {
  await using own = await ownPostgres({ migrated: false });
  const { db } = own;
  await db.query("create role owner login password 'secret' nocreaterole");
  const names = ['plain', 'one', 'two'];
  for (const name of names)
    await db.query(`create database ${name}${name === 'plain' ? ' owner owner' : ''}`);
  const open = (name: string, account?: string) => {
    const url = new URL(db.url);
    url.pathname = name;
    if (account) [url.username, url.password] = [account, 'secret'];
    return openDb(url.href, { applicationName: 'nightshift test', max: 3 });
  };
  await using plain = open('plain', 'owner');
  await migrate(plain);
  const missing = await grantReaders(plain);
  expect(missing).toEqual(['nightshift_operator', 'nightshift_reader']);
  expect(rolesToMake(missing)).toContain('  create role nightshift_reader nologin;');

  await Promise.all(
    names.slice(1).map(async (name) => {
      await using other = open(name);
      await migrate(other);
    }),
  );
  expect(
    await db.column("select rolname from pg_roles where rolname like 'nightshift\\__%' order by 1"),
  ).toEqual(missing);
  for (const name of names) {
    await using other = open(name, name === 'plain' ? 'owner' : undefined);
    expect(await grantReaders(other), name).toEqual([]);
    const { rows } = await other.query(
      `select has_table_privilege('nightshift_reader', 'bi.daily_sales', 'select') as sales,
              has_table_privilege('nightshift_reader', 'bi.platform_metrics', 'select') as platform`,
    );
    expect(rows, name).toEqual([{ sales: true, platform: false }]);
  }
});
