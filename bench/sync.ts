/**
 * The built-in year of five shops over HTTP, by bulk operations, into an empty database: the sandbox
 * and the syncing worker are processes of their own, so that the memory is the worker's alone. Then
 * everything is read once more, and nothing may be written.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SandboxProcess, startSandboxProcess } from '../bin/cli/demo/sandbox_process.ts';
import { type Giftware, setUp } from '../bin/cli/demo/setup.ts';
import { enqueueSyncs, type Reading } from '../bin/cli/sync/enqueue.ts';
import { makeKeyring, streamsOf } from '../connectors/providers.ts';
import { sealer } from '../sql/tenants/secrets.ts';
import type { Figure } from './support/bench.ts';
import { rememberVersions, rewrittenSince } from './support/measure.ts';
import { sessionsClock } from './support/processor.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { startSyncWorker } from './support/sync_worker.ts';

const POLL_MS = 100;

type Progress = { open: number; failed: number; rows: number; objects: number };
type Sample = { objects: number; peakMb: number };
type Synced = {
  seconds: number;
  rows: number;
  changed: number;
  peakMb: number;
  samples: Sample[];
  workerCpuSeconds: number;
  databaseCpuSeconds: number;
};

export async function benchSync(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await using sandbox = await startSandboxProcess();
  const key = randomBytes(32);
  const keyring = makeKeyring(sealer([{ id: 'bench', key }]), []);
  const giftware = await setUp(db, keyring, { ...sandbox.places, stripe: [] });
  const env = { ...process.env, NIGHTSHIFT_SECRET_KEYS: `bench:${key.toString('base64')}` };

  const first = await synced(db, giftware, env, { now: sandbox.now });
  const produced = (await productionMs(sandbox)) / 1000;
  const tables = await rawTables(db);
  await rememberVersions(db, tables);
  const again = await synced(db, giftware, env, { now: sandbox.now, full: true });
  const rewritten = await rewrittenSince(db, tables);
  const producedAgain = (await productionMs(sandbox)) / 1000 - produced;

  return [
    { name: 'first load, rows', value: first.rows, unit: 'rows' },
    { name: 'first load, wall time', value: first.seconds, unit: 's' },
    { name: "of which the sandbox's own production", value: produced, unit: 's' },
    { name: 'first load without it', value: first.seconds - produced, unit: 's', bar: { below: 60 } },
    { name: 'first load', value: first.rows / first.seconds, unit: 'rows/s' },
    { name: 'processor time of the worker', value: first.workerCpuSeconds, unit: 's', bar: { below: 30 } },
    {
      name: "processor time of PostgreSQL's sessions",
      value: first.databaseCpuSeconds,
      unit: 's',
      bar: { below: 28 },
    },
    { name: 'memory of the worker, most until a quarter', value: peakAt(first, 0.25), unit: 'MB' },
    { name: 'memory of the worker, most until half', value: peakAt(first, 0.5), unit: 'MB' },
    { name: 'memory of the worker, most', value: first.peakMb, unit: 'MB', bar: { below: 250 } },
    { name: 'read again in full, wall time', value: again.seconds, unit: 's' },
    { name: "of which the sandbox's own production", value: producedAgain, unit: 's' },
    { name: 'read again in full', value: again.rows / again.seconds, unit: 'rows/s' },
    { name: 'read again in full, first load / it', value: first.seconds / again.seconds, unit: 'x' },
    { name: 'read again in full, processor time of the worker', value: again.workerCpuSeconds, unit: 's' },
    {
      name: "read again in full, processor time of PostgreSQL's sessions",
      value: again.databaseCpuSeconds,
      unit: 's',
    },
    { name: 'read again in full, objects changed', value: again.changed, unit: 'objects', bar: { below: 1 } },
    { name: 'read again in full, rows rewritten', value: rewritten, unit: 'rows', bar: { below: 1 } },
    {
      name: 'read again in full, memory of the worker, most',
      value: again.peakMb,
      unit: 'MB',
      bar: { below: 250 },
    },
  ];
}

async function synced(
  db: BenchDb,
  { connections }: Giftware,
  env: NodeJS.ProcessEnv,
  reading: Reading,
): Promise<Synced> {
  const choices = connections.flatMap((connection) =>
    streamsOf(connection.provider).map(({ name: stream }) => ({ connection, stream, row: {} })),
  );
  await using worker = await startSyncWorker(db.url, env);
  const jobs = (await enqueueSyncs(db, choices, reading)).map(({ id }) => id);
  const sessions = await sessionsClock(db);
  const start = performance.now();
  const samples: Sample[] = [];
  for (;;) {
    const { open, failed, objects, rows } = await progressOf(db, jobs);
    worker.assertAlive();
    if (failed > 0) throw new Error('A sync did not succeed.');
    await sessions.look();
    const peakMb = worker.peakMb();
    samples.push({ objects, peakMb });
    if (open === 0) {
      const seconds = (performance.now() - start) / 1000;
      const cpu = { workerCpuSeconds: worker.cpuSeconds(), databaseCpuSeconds: sessions.seconds() };
      return { seconds, rows, changed: await changedBy(db, jobs), peakMb, samples, ...cpu };
    }
    await sleep(POLL_MS);
  }
}

async function progressOf(db: BenchDb, jobs: readonly string[]): Promise<Progress> {
  const { rows } = await db.query<Progress>(
    `select $2::int - count(*) filter (where outcome = 'succeeded')::int as open,
            count(*) filter (where outcome in ('partial', 'held', 'dead'))::int as failed,
            coalesce(sum((tally ->> 'rows')::bigint), 0)::bigint as rows,
            coalesce(sum((progress ->> 'objects')::bigint)
              filter (where payload ->> 'stream' = 'shopify.orders'), 0)::bigint as objects
     from ops.job_runs where job_id = any($1::bigint[])`,
    [jobs, jobs.length],
  );
  const [progress] = rows;
  if (progress === undefined) throw new Error('PostgreSQL gave no progress.');
  return progress;
}

async function changedBy(db: BenchDb, jobs: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ changed: number }>(
    `select sum((tally ->> 'changed')::bigint)::bigint as changed from ops.job_runs where job_id = any($1::bigint[])`,
    [jobs],
  );
  return rows[0]?.changed ?? 0;
}

/** The most memory held until this share of the orders was stored. */
function peakAt({ samples }: Synced, share: number): number {
  const whole = samples.at(-1)?.objects ?? 0;
  return samples.find(({ objects }) => objects >= share * whole)?.peakMb ?? 0;
}

async function productionMs({ url }: SandboxProcess): Promise<number> {
  const answer = await fetch(`${url}/_sandbox/status`);
  const { shops } = (await answer.json()) as { shops: { bulkOperations: { productionMs?: number }[] }[] };
  return shops
    .flatMap(({ bulkOperations }) => bulkOperations)
    .reduce((sum, { productionMs = 0 }) => sum + productionMs, 0);
}

async function rawTables(db: BenchDb): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relnamespace = 'raw'::regnamespace and relkind = 'r'`,
  );
  return rows.map(({ name }) => name);
}
