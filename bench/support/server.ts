/**
 * Where the benches run: an embedded PostgreSQL of their own with its usual settings, so commits are
 * as durable as in use, or the server that DATABASE_URL or TEST_DATABASE_URL names. Nothing but
 * databases made here is touched.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { makeLog } from '../../runtime/log.ts';
import { migrate } from '../../sql/db/migrate.ts';
import { type Db, openDb } from '../../sql/db/pool.ts';
import { openServer } from '../../sql/embedded/open_server.ts';
import { embeddedHome } from '../../test/support/db/embedded_home.ts';

export type BenchServer = AsyncDisposable & {
  /** What the server calls itself, such as 18.4. */
  version: string;
  /** A migrated database, or a copy of one that is; the server drops it at its end. */
  freshDatabase(copied?: string): Promise<BenchDb>;
};

export type BenchDb = Db & { url: string };

const STATEMENT_TIMEOUT_MS = 10 * 60_000;
const CONNECTIONS_MAX = 12;

export async function openBenchServer(env: NodeJS.ProcessEnv): Promise<BenchServer> {
  await using opening = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  opening.defer(() => rm(dataDir, { recursive: true, force: true }));
  const server = await openServer({
    databaseUrl: env.DATABASE_URL || env.TEST_DATABASE_URL || undefined,
    dataDir,
    log: makeLog('warn', 'bench'),
  });
  const home = await embeddedHome(dataDir);
  if (home) opening.defer(() => rm(home, { recursive: true, force: true }));
  opening.use(server);
  const admin = opening.use(openDb(server.url, { applicationName: 'nightshift bench admin', max: 1 }));
  const { rows } = await admin.query("select current_setting('server_version') as version");
  const opened = opening.move();

  return {
    version: rows[0]?.version,
    async freshDatabase(copied = 'template0') {
      const name = `nightshift_bench_${process.pid}_${randomBytes(4).toString('hex')}`;
      await admin.query(`create database ${name} template ${pg.escapeIdentifier(copied)} encoding 'UTF8'`);
      opened.defer(async () => void (await admin.query(`drop database if exists ${name} with (force)`)));
      const db = opened.use(openBenchDb(server.url, name));
      await migrate(db);
      return db;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function openBenchDb(serverUrl: string, name: string): BenchDb {
  const url = new URL(serverUrl);
  url.pathname = name;
  const options = { max: CONNECTIONS_MAX, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  return { ...openDb(url.href, { applicationName: 'nightshift bench', ...options }), url: url.href };
}
