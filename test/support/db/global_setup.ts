/**
 * Once per run: a server, and on it one migrated template that every test copies. The server is
 * the embedded PostgreSQL 18, or the one that TEST_DATABASE_URL names.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { makeLog } from '#runtime/log.ts';
import { migrate } from '#sql/db/migrate.ts';
import { type Db, openDb } from '#sql/db/pool.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { removeDataDir } from './embedded_home.ts';
import { copyCluster } from './ready_cluster.ts';
import { type Baseline, baselineOf } from './recycle.ts';

declare module 'vitest' {
  interface ProvidedContext {
    serverUrl: string;
    template: string;
    baseline: Baseline;
    /** The data directory of the cluster that `copyCluster` copies. */
    cluster: string;
  }
}

/** The template and all copies of it; a server that is ours goes away as a whole. */
async function dropAll(admin: Db, template: string): Promise<void> {
  const { rows } = await admin.query("select datname from pg_database where datname like $1 || '%'", [
    template,
  ]);
  for (const { datname } of rows) await admin.query(`drop database ${datname} with (force)`);
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-test-'));
  const cluster = await mkdtemp(join(tmpdir(), 'nightshift-test-cluster-'));
  const existing = process.env.TEST_DATABASE_URL || undefined;
  if (existing === undefined) await copyCluster(cluster, dataDir);
  const server = await openServer({
    databaseUrl: existing,
    dataDir,
    log: makeLog('warn', 'test'),
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '200',
      autovacuum: 'off',
    },
  });
  const admin = openDb(server.url, { applicationName: 'nightshift test setup', max: 1 });
  const template = `nightshift_test_${randomBytes(4).toString('hex')}`;
  const original = existing === undefined ? 'nightshift' : 'template0'; // the former has our schema
  await admin.query(`create database ${template} template ${original} encoding 'UTF8'`);
  const url = new URL(server.url);
  url.pathname = template;
  {
    await using db = openDb(url.href, { applicationName: 'nightshift test setup' });
    await migrate(db);
    project.provide('baseline', await baselineOf(db));
  }
  project.provide('serverUrl', server.url);
  project.provide('template', template);
  project.provide('cluster', cluster);

  return async () => {
    if (existing !== undefined) await dropAll(admin, template);
    await admin[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    for (const dir of [dataDir, cluster]) await removeDataDir(dir);
  };
}
