/**
 * The first sync of a large ledger over HTTP: balance transactions that the sandbox works out as it is
 * asked, read by a worker into an empty database. Sandbox and worker are processes of their own. The
 * account's limits are raised, so that nothing waits for them. A smaller ledger before it shows that the
 * memory of the worker does not grow with what it reads.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { enqueueSyncs } from '../bin/cli/sync/enqueue.ts';
import { makeKeyring } from '../connectors/providers.ts';
import { addBrand } from '../sql/tenants/brands.ts';
import { addConnection, type Connection } from '../sql/tenants/connections.ts';
import { addRetailer } from '../sql/tenants/retailers.ts';
import { sealer } from '../sql/tenants/secrets.ts';
import type { Figure } from './support/bench.ts';
import { cpuSecondsOf, sessionsClock } from './support/processor.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { startSyncWorker } from './support/sync_worker.ts';

const SANDBOX = fileURLToPath(new URL('../sandbox/main.ts', import.meta.url));
const LARGE = 1_000_000;
const SMALL = 250_000;
const ACCOUNT = 'acct_bench';
const KEY = 'rk_test_bench';
/** As of this instant the last two weeks are listed again, and the last days are still pending. */
const NOW = '2026-01-01T00:00:00Z';
/** More than two cores can ask. */
const REQUESTS_PER_SECOND = 2_000;
const STREAM = 'stripe.balance_transactions';
const POLL_MS = 100;

type Synced = {
  seconds: number;
  rows: number;
  requests: number;
  waitedMs: number;
  peakMb: number;
  workerCpuSeconds: number;
  sandboxCpuSeconds: number;
  databaseCpuSeconds: number;
};

export async function benchStripeSync(server: BenchServer): Promise<Figure[]> {
  const small = await synced(await server.freshDatabase(), SMALL);
  const large = await synced(await server.freshDatabase(), LARGE);
  return [
    { name: 'ledger, rows', value: large.rows, unit: 'rows' },
    { name: 'first sync, wall time', value: large.seconds, unit: 's' },
    { name: 'first sync', value: LARGE / large.seconds, unit: 'rows/s', bar: { atLeast: 10_000 } },
    { name: 'first sync of a quarter', value: SMALL / small.seconds, unit: 'rows/s' },
    { name: 'requests', value: large.requests / large.seconds, unit: '1/s' },
    { name: 'waited for limits', value: large.waitedMs / 1000, unit: 's' },
    { name: 'processor time of the worker', value: large.workerCpuSeconds, unit: 's' },
    { name: 'processor time of the sandbox', value: large.sandboxCpuSeconds, unit: 's' },
    { name: "processor time of PostgreSQL's sessions", value: large.databaseCpuSeconds, unit: 's' },
    { name: 'memory of the worker, most, a quarter', value: small.peakMb, unit: 'MB', bar: { below: 250 } },
    { name: 'memory of the worker, most', value: large.peakMb, unit: 'MB', bar: { below: 250 } },
    { name: 'memory, all / a quarter', value: large.peakMb / small.peakMb, unit: 'x', bar: { below: 1.15 } },
  ];
}

async function synced(db: BenchDb, count: number): Promise<Synced> {
  await using sandbox = await startLedger(count);
  const key = randomBytes(32);
  const connection = await connect(db, sandbox.url, key);
  const env = { ...process.env, NIGHTSHIFT_SECRET_KEYS: `bench:${key.toString('base64')}` };
  await using worker = await startSyncWorker(db.url, env);
  const choice = { connection, stream: STREAM, row: {} };
  const cpuBefore = await cpuSecondsOf(sandbox.child.pid);
  const sessions = await sessionsClock(db);
  const start = performance.now();
  const [job] = await enqueueSyncs(db, [choice], { now: NOW });
  for (;;) {
    await sleep(POLL_MS);
    worker.assertAlive();
    await sessions.look();
    const run = await runOf(db, job?.id);
    if (run?.outcome !== 'succeeded') continue;
    const seconds = (performance.now() - start) / 1000;
    const rows = await assertWhole(db, count);
    return {
      ...{ seconds, rows, requests: run.requests, waitedMs: run.waitedMs },
      ...{ peakMb: worker.peakMb(), workerCpuSeconds: worker.cpuSeconds() },
      sandboxCpuSeconds: (await cpuSecondsOf(sandbox.child.pid)) - cpuBefore,
      databaseCpuSeconds: sessions.seconds(),
    };
  }
}

type Run = { outcome: string; requests: number; waitedMs: number };

async function runOf(db: BenchDb, job: string | undefined): Promise<Run | undefined> {
  const { rows } = await db.query<Run>(
    `select outcome, (tally ->> 'requests')::int as requests, (tally ->> 'waited_ms')::int as "waitedMs"
     from ops.job_runs where job_id = $1 order by id desc limit 1`,
    [job],
  );
  const [run] = rows;
  if (run && !['running', 'succeeded'].includes(run.outcome))
    throw new Error(`The sync ended ${run.outcome}.`);
  return run;
}

/** Every row is there, and their sum is the balance that the sandbox tells. */
async function assertWhole(db: BenchDb, count: number): Promise<number> {
  const { rows } = await db.query<{ n: number; failed: number }>(
    `select (select count(*)::int from raw.stripe_balance_transactions) as n,
            (select count(*)::int from ops.completeness where not ok) as failed`,
  );
  const { n = 0, failed = 0 } = rows[0] ?? {};
  if (n !== count || failed > 0) throw new Error(`${n} of ${count} rows are there, ${failed} checks failed.`);
  return n;
}

async function connect(db: BenchDb, url: string, key: Buffer): Promise<Connection> {
  const keyring = makeKeyring(sealer([{ id: 'bench', key }]), []);
  return db.transaction(async (tx) => {
    const names = { slug: 'bench', name: 'Bench' };
    const brand = await addBrand(tx, { ...names, timeZone: 'Europe/London', reportingCurrency: 'GBP' });
    const retailer = await addRetailer(tx, { ...names, brandId: brand.id });
    return addConnection(tx, keyring, {
      ...{ brandId: brand.id, retailerId: retailer.id, name: 'bench', provider: 'stripe', account: ACCOUNT },
      ...{ baseUrl: `${url}/stripe`, auth: 'key', secret: KEY, requestsPerSecond: REQUESTS_PER_SECOND },
    });
  });
}

type Ledger = AsyncDisposable & { url: string; child: ChildProcess };

async function startLedger(count: number): Promise<Ledger> {
  await using starting = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-bench-stripe-'));
  starting.defer(() => rm(dir, { recursive: true, force: true }));
  const stripe = { [ACCOUNT]: { key: KEY, synthetic: { balanceTransactions: count } } };
  await writeFile(join(dir, 'scenario.json'), JSON.stringify({ now: NOW, stripe }));
  const child = spawn(process.execPath, [SANDBOX, '--data', dir], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'], // it ends when its channel closes
  });
  starting.defer(() => end(child));
  if (child.stdout === null) throw new Error('The sandbox cannot say where it is.');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { url } = JSON.parse(String(line)) as { url: string };
  const started = starting.move();
  return { url, child, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
