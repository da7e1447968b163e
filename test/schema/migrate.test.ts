import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assertSchema, migrate } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { emptyDb, freshDb } from '../support/db/db.ts';

async function migrationFolder(files: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-migrations-'));
  for (const [name, sql] of Object.entries(files)) await writeFile(join(dir, name), sql);
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

const one = { '0001_one.sql': 'create table public.one (id int);' };
const two = { '0002_two.sql': 'create table public.two (id int);' };

test('a second migration of the same database applies nothing', async () => {
  await using db = await emptyDb();
  await using folder = await migrationFolder({ ...one, ...two });
  expect(await migrate(db, folder.dir)).toEqual(['0001_one', '0002_two']);
  expect(await migrate(db, folder.dir)).toEqual([]);
  await assertSchema(db, folder.dir);
});

test('two processes that migrate an empty database at once apply each migration once', async () => {
  await using db = await emptyDb();
  await using other = openDb(db.url, { applicationName: 'another process' });
  await using folder = await migrationFolder({ ...one, ...two });
  const applied = await Promise.all([migrate(db, folder.dir), migrate(other, folder.dir)]);
  expect(applied.flat().sort()).toEqual(['0001_one', '0002_two']);
  expect(await db.column('select name from ops.migrations order by id')).toEqual(['0001_one', '0002_two']);
});

test('a migration that fails takes the earlier ones of its run back with it', async () => {
  await using db = await emptyDb();
  await using folder = await migrationFolder({ ...one, '0002_bad.sql': 'select 1 / 0;' });
  await expect(migrate(db, folder.dir)).rejects.toMatchObject({
    code: 'NS_MIGRATION_FAILED',
    message: expect.stringContaining('division by zero'),
  });
  expect(await db.column("select to_regclass('public.one')")).toEqual([null]);
});

test('a database with a migration that the code does not know is refused, and left alone', async () => {
  await using db = await emptyDb();
  await using newer = await migrationFolder({ ...one, ...two });
  await using older = await migrationFolder(one);
  await using different = await migrationFolder({
    ...one,
    '0003_three.sql': 'create table public.three ();',
  });
  await migrate(db, newer.dir);
  const refusal = { code: 'NS_SCHEMA_NEWER', context: { unknown: ['0002_two'] } };
  await expect(assertSchema(db, older.dir)).rejects.toMatchObject(refusal);
  await expect(migrate(db, different.dir)).rejects.toMatchObject(refusal);
  expect(await db.column("select to_regclass('public.three')")).toEqual([null]);
});

test('a database that lacks a migration is refused with the command that brings it', async () => {
  await using db = await emptyDb();
  await using older = await migrationFolder(one);
  await using newer = await migrationFolder({ ...one, ...two });
  const command = expect.stringContaining('npx nightshift migrate');
  await expect(assertSchema(db, newer.dir)).rejects.toMatchObject({ code: 'NS_SCHEMA_OLDER', hint: command });
  await migrate(db, older.dir);
  await expect(assertSchema(db, newer.dir)).rejects.toMatchObject({ context: { missing: ['0002_two'] } });
});

test('a queue schema of another version than the pinned one is refused', async () => {
  await using db = await freshDb();
  await assertSchema(db);
  await db.query('insert into graphile_worker.migrations (id) values (21)');
  await expect(assertSchema(db)).rejects.toMatchObject({ code: 'NS_QUEUE_SCHEMA', context: { found: 21 } });
  await expect(migrate(db)).rejects.toMatchObject({ code: 'NS_QUEUE_SCHEMA' });
});

test('a database that is not there is refused with where it was looked for', async () => {
  await using db = openDb('postgres://nobody@127.0.0.1:1/nowhere', { applicationName: 'migrate test' });
  await expect(migrate(db)).rejects.toMatchObject({
    code: 'NS_DATABASE_UNREACHABLE',
    message: expect.stringContaining('127.0.0.1:1/nowhere'),
  });
});
