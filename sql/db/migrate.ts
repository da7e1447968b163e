/**
 * Migrates the database to the schema of this release: first the queue's own migrations (ours refer to its tables),
 * then `migrations/NNNN_name.sql`, forward only. One advisory lock covers all of it, so that processes that start
 * together do it once.
 */
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { coded, messageOf } from '#runtime/errors.ts';
import type { Db, Tx } from './pool.ts';
import { assertNoPooler } from './pooler.ts';

export const MIGRATIONS_DIR = fileURLToPath(new URL('../migrations/', import.meta.url));

/** The queue's schema that our own SQL on its private tables was written against (graphile-worker 0.18). */
export const QUEUE_MIGRATION = 20;

const MIGRATE_LOCK = '7346109010';

export class SchemaNewer extends coded('NS_SCHEMA_NEWER') {
  constructor(unknown: string[]) {
    super(`The database has migrations that this version does not know: ${unknown.join(', ')}.`, {
      hint: 'Run the version of Nightshift that made them, or a newer one.',
      context: { unknown },
    });
  }
}

export class SchemaOlder extends coded('NS_SCHEMA_OLDER') {
  constructor(missing: string[]) {
    super(`The database lacks migrations that this version needs: ${missing.join(', ')}.`, {
      hint: 'Migrate it: npx nightshift migrate',
      context: { missing },
    });
  }
}

export class QueueSchemaUnknown extends coded('NS_QUEUE_SCHEMA') {
  constructor(found: number) {
    super(`The queue's schema is at migration ${found}; this version supports ${QUEUE_MIGRATION} only.`, {
      hint: 'Run the version of Nightshift that fits it; graphile-worker is pinned for this reason.',
      context: { found, wanted: QUEUE_MIGRATION },
    });
  }
}

export class MigrationFailed extends coded('NS_MIGRATION_FAILED') {
  constructor(cause: unknown) {
    super(`A migration failed and all of this run was rolled back: ${messageOf(cause)}`, {
      hint: 'Correct what the message names, then: npx nightshift migrate',
      cause,
    });
  }
}

/** Applies the missing migrations and returns their names; safe at any time and for many processes at once. */
export async function migrate(db: Db, dir = MIGRATIONS_DIR): Promise<string[]> {
  await assertNoPooler(db);
  const client = await db.pool.connect();
  try {
    await client.query(`set statement_timeout = 0; select pg_advisory_lock(${MIGRATE_LOCK})`);
    refuseNewer(await difference(client, dir));
    await migrateQueue(db);
    return await applyFiles(client, dir);
  } finally {
    client.release(true); // the session ends, and with it the lock and the changed setting
  }
}

/** Refuses a schema that does not fit this release exactly, and a database that is not reached directly. */
export async function assertSchema(db: Db, dir = MIGRATIONS_DIR): Promise<void> {
  await assertNoPooler(db);
  await db.transaction(async (tx) => {
    const found = await difference(tx, dir);
    refuseNewer(found);
    if (found.missing.length > 0) throw new SchemaOlder(found.missing);
    await assertQueue(tx);
  });
}

type Difference = { missing: string[]; unknown: string[] };

async function difference(tx: Tx, dir: string): Promise<Difference> {
  const files = await migrationNames(dir);
  const { rows } = await tx.query("select to_regclass('ops.migrations') is not null as there");
  const applied = rows[0]?.there
    ? await tx.query<{ name: string }>('select name from ops.migrations')
    : undefined;
  const names = applied?.rows.map(({ name }) => name) ?? [];
  return {
    missing: files.filter((name) => !names.includes(name)),
    unknown: names.filter((name) => !files.includes(name)).sort(),
  };
}

function refuseNewer({ unknown }: Difference): void {
  if (unknown.length > 0) throw new SchemaNewer(unknown);
}

async function migrationNames(dir: string): Promise<string[]> {
  const files = await readdir(dir);
  return files.flatMap((file) => /^(\d{4}_\w+)\.sql$/.exec(file)?.[1] ?? []).sort();
}

async function migrateQueue(db: Db): Promise<void> {
  const { runMigrations, Logger } = await import('graphile-worker');
  await runMigrations({ pgPool: db.pool, logger: new Logger(() => () => {}) });
  await db.transaction(assertQueue);
}

async function assertQueue(tx: Tx): Promise<void> {
  const { rows } = await tx.query<{ found: number }>(
    'select coalesce(max(id), 0)::int as found from graphile_worker.migrations',
  );
  const found = rows[0]?.found ?? 0;
  if (found !== QUEUE_MIGRATION) throw new QueueSchemaUnknown(found);
}

async function applyFiles(client: Tx, dir: string): Promise<string[]> {
  const { runner } = await import('node-pg-migrate'); // slow to load, and most commands never migrate
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  try {
    const applied = await runner({
      dbClient: client,
      dir,
      direction: 'up',
      migrationsSchema: 'ops',
      migrationsTable: 'migrations',
      createMigrationsSchema: true,
      ignorePattern: '(?!\\d{4}_\\w+\\.sql$).*',
      singleTransaction: true,
      noLock: true, // our own lock is held, and covers the queue as well
      logger: quiet,
    });
    return applied.map(({ name }) => name);
  } catch (error) {
    throw new MigrationFailed(error);
  }
}
