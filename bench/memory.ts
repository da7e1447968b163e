/**
 * Whether a worker's memory stays flat. `npm run up` works through syncs of every stream of ten accounts,
 * rollups and exchange rates, a few jobs a second, again and again; the sandbox is a process of its own.
 * What counts is what lives after a full collection: a leak makes it grow with the number of runs.
 * Resident memory stands beside it, which also holds what nobody has collected yet.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type SandboxProcess, startSandboxProcess } from '../bin/cli/demo/sandbox_process.ts';
import { type Giftware, setUp } from '../bin/cli/demo/setup.ts';
import { enqueueSyncs } from '../bin/cli/sync/enqueue.ts';
import { makeKeyring, streamsOf } from '../connectors/providers.ts';
import manifest from '../package.json' with { type: 'json' };
import { sealer } from '../sql/tenants/secrets.ts';
import { enqueue } from '../tasks/enqueue.ts';
import { fxRates } from '../tasks/fx/fx_rates.ts';
import type { Figure } from './support/bench.ts';
import { quantile } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';

const MINUTES = Number(process.env.BENCH_MINUTES ?? 10);
const WARM_ROUNDS = 2;
const POLL_MS = 250;
const MB = 1_000_000;
const PROGRAM = fileURLToPath(new URL('../bin/nightshift.ts', import.meta.url));
const TELL = new URL('./programs/tell_memory.ts', import.meta.url).href;
// Those of `npm run worker`, which `up` gives itself.
const flags = manifest.scripts.worker.split(' ').filter((word) => word.startsWith('--'));

type Sample = { rss: number; heapUsed: number; external: number; arrayBuffers: number; isCollected: boolean };
type Point = { minute: number; runs: number; live: number; rss: number };

export async function benchMemory(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await using sandbox = await startSandboxProcess();
  const key = randomBytes(32);
  const keyring = makeKeyring(sealer([{ id: 'bench', key }]), []);
  const giftware = await setUp(db, keyring, sandbox.places);
  await using up = await startUp({
    ...process.env,
    DATABASE_URL: db.url,
    NIGHTSHIFT_SECRET_KEYS: `bench:${key.toString('base64')}`,
    NIGHTSHIFT_ECB_URL: `${sandbox.url}/ecb/stats/eurofxref`,
    NIGHTSHIFT_LOG_LEVEL: 'warn',
  });
  for (let round = 0; round < WARM_ROUNDS; round++) await workOff(db, giftware, sandbox, up);
  const points = [await pointOf(db, up, 0)];
  const start = performance.now();
  for (let minute = 1; minute <= MINUTES; minute++) {
    while (performance.now() - start < minute * 60_000) await workOff(db, giftware, sandbox, up);
    const point = await pointOf(db, up, minute);
    points.push(point);
    console.error(JSON.stringify(point));
  }
  return figuresOf(points);
}

function figuresOf(points: readonly Point[]): Figure[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) throw new Error('Nothing was measured.');
  const half = points[Math.floor(points.length / 2)] ?? last;
  const runs = last.runs - first.runs;
  return [
    { name: 'runs', value: runs, unit: 'runs' },
    { name: 'lives after a collection, warm', value: first.live, unit: 'MB' },
    { name: 'lives after a collection, halfway', value: half.live, unit: 'MB' },
    { name: 'lives after a collection, at the end', value: last.live, unit: 'MB' },
    {
      name: 'lives after a collection, end / halfway',
      value: last.live / half.live,
      unit: 'x',
      bar: { below: 1.05 },
    },
    { name: 'resident, median of the first minute', value: points[1]?.rss ?? 0, unit: 'MB' },
    { name: 'resident, median of the last minute', value: last.rss, unit: 'MB' },
    {
      name: 'resident, most of any minute',
      value: Math.max(...points.map(({ rss }) => rss)),
      unit: 'MB',
      bar: { below: 250 },
    },
  ];
}

/** Everything once: each stream, the rollups that it causes, and the rates. */
async function workOff(
  db: BenchDb,
  { connections }: Giftware,
  { now }: SandboxProcess,
  up: Up,
): Promise<void> {
  const choices = connections.flatMap((connection) =>
    streamsOf(connection.provider).map(({ name: stream }) => ({ connection, stream, row: {} })),
  );
  await enqueueSyncs(db, choices, { now });
  await db.transaction((tx) => enqueue(tx, fxRates, { now }, { keyMode: 'replace' }));
  for (;;) {
    up.assertAlive();
    const { rows } = await db.query<{ open: number; dead: number }>(
      `select count(*) filter (where run_at <= now() + interval '2 s' and attempts < max_attempts)::int as open,
              count(*) filter (where attempts >= max_attempts and locked_at is null)::int as dead
       from graphile_worker.jobs`,
    );
    if (rows[0]?.dead) throw new Error('A job did not succeed.');
    if (rows[0]?.open === 0) return;
    await sleep(POLL_MS);
  }
}

async function pointOf(db: BenchDb, up: Up, minute: number): Promise<Point> {
  const rss = up.medianRss();
  const live = await up.live();
  const { rows } = await db.query<{ runs: number }>('select count(*)::int as runs from ops.job_runs');
  return { minute, runs: rows[0]?.runs ?? 0, live: live / MB, rss: rss / MB };
}

type Up = AsyncDisposable & {
  assertAlive(): void;
  /** Of the time since it was last asked. */
  medianRss(): number;
  /** Bytes in use after a full collection. */
  live(): Promise<number>;
};

async function startUp(env: NodeJS.ProcessEnv): Promise<Up> {
  const execArgv = [...flags, '--expose-gc', '--import', TELL];
  const child = fork(PROGRAM, ['up'], { env, execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let samples: number[] = [];
  child.on('message', ({ rss, isCollected }: Sample) => {
    if (!isCollected) samples.push(rss);
  });
  await once(child, 'message');
  return {
    assertAlive: () => assertAlive(child),
    medianRss() {
      const median = quantile(samples, 0.5);
      samples = [];
      return median;
    },
    live: () => collected(child),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
    },
  };
}

async function collected(child: ChildProcess): Promise<number> {
  assertAlive(child);
  child.send('collect');
  for (;;) {
    const [{ isCollected, heapUsed, external }] = (await once(child, 'message')) as [Sample];
    if (isCollected) return heapUsed + external;
  }
}

function assertAlive({ exitCode, signalCode }: ChildProcess): void {
  if (exitCode !== null || signalCode !== null) throw new Error('The worker ended before its jobs.');
}
