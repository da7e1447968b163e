/**
 * An hour under load: worker and scheduler as the Procfile starts them, eight brands whose accounts are synced in
 * every minute and have something new each time, with rollups, rates, retention and nights. Half a minute apart it
 * looks at the memory of both, at the size of each table of `ops` and of the queue, and at what they warn of.
 *
 * Tables of history (`ops.job_runs`, …) have a row for each thing that happened until retention deletes them: of those
 * the bytes of a row must not grow. All others must not grow at all once they have been used for a while.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeKeyring } from '../connectors/providers.ts';
import { recordNames } from '../sql/queue/retention.ts';
import { brandRecords } from '../sql/retention/brand_records.ts';
import { sealer } from '../sql/tenants/secrets.ts';
import type { Figure } from './support/bench.ts';
import { median } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { startProcesses, startSandboxOf } from './support/soak_processes.ts';
import { addWorld, writeWorld } from './support/soak_world.ts';

const MINUTES = Number(process.env.BENCH_MINUTES ?? 60);
const SAMPLE_MS = 30_000;
const HOUR_MS = 3_600_000;
/** What happens before is warming up: caches fill, tables reach the size that they keep. */
const WARM_SHARE = 1 / 4;
/** A table this small may take another page of rows and indexes. */
const SMALL_BYTES = 256 * 1024;
const HISTORY: ReadonlySet<string> = new Set([
  ...['job_runs', ...brandRecords, ...recordNames].map((name) => `ops.${name}`),
  ...['ops.night_jobs', 'ops.backfill_slots'],
]);

type Table = { bytes: number; live: number; dead: number };
type Sample = { at: number; runs: number; rss: Record<string, number>; tables: Record<string, Table> };

export async function benchSoak(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await using world = await writeWorld(MINUTES * 60);
  await using sandbox = await startSandboxOf(world.dir);
  const key = randomBytes(32);
  await addWorld(db, makeKeyring(sealer([{ id: 'bench', key }]), []), sandbox.url);
  await using processes = await startProcesses({
    ...process.env,
    DATABASE_URL: db.url,
    NIGHTSHIFT_SECRET_KEYS: `bench:${key.toString('base64')}`,
    NIGHTSHIFT_ECB_URL: `${sandbox.url}/ecb/stats/eurofxref`,
    NIGHTSHIFT_LOG_LEVEL: 'info',
  });
  const samples: Sample[] = [];
  const start = performance.now();
  let reported = 0;
  for (let at = 0; at <= MINUTES * 60_000; at = performance.now() - start) {
    processes.assertAlive();
    const sample = { at, ...(await look(db)), rss: await processes.rss() };
    samples.push(sample);
    process.stderr.write(`${JSON.stringify(sample)}\n`);
    for (const line of processes.warnings.slice(reported)) process.stderr.write(`warned: ${line}\n`);
    reported = processes.warnings.length;
    await sleep(SAMPLE_MS - ((performance.now() - start) % SAMPLE_MS));
  }
  return [...(await worked(db)), ...figuresOf(samples), warned(processes.warnings)];
}

async function look(db: BenchDb): Promise<Pick<Sample, 'runs' | 'tables'>> {
  const { rows } = await db.query<Table & { name: string }>(
    `select format('%s.%s', s.schemaname, s.relname) as name, pg_total_relation_size(s.relid)::float8 as bytes,
            s.n_live_tup::float8 as live, s.n_dead_tup::float8 as dead
     from pg_stat_user_tables s where s.schemaname in ('ops', 'graphile_worker') order by name`,
  );
  const { rows: runs } = await db.query<{ n: number }>('select count(*)::int as n from ops.job_runs');
  const tables = Object.fromEntries(rows.map(({ name, ...table }) => [name, table]));
  return { runs: runs[0]?.n ?? 0, tables };
}

async function worked(db: BenchDb): Promise<Figure[]> {
  const { rows } = await db.query<{ name: string; n: number; failed: number }>(
    `select task as name, count(*)::int as n, count(*) filter (where outcome not in ('succeeded', 'running'))::int as failed
     from ops.job_runs group by task order by task`,
  );
  const failed = rows.reduce((sum, row) => sum + row.failed, 0);
  return [
    ...rows.map(({ name, n }) => ({ name: `runs of ${name}`, value: n, unit: 'runs' })),
    { name: 'runs that did not succeed', value: failed, unit: 'runs', bar: { below: 1 } },
  ];
}

function warned(warnings: readonly string[]): Figure {
  return { name: 'lines of level warn and above', value: warnings.length, unit: 'lines', bar: { below: 1 } };
}

function figuresOf(samples: readonly Sample[]): Figure[] {
  const steady = samples.slice(Math.floor(samples.length * WARM_SHARE));
  const names = Object.keys(samples[0]?.rss ?? {});
  return [...names.flatMap((name) => memoryOf(name, steady)), ...tablesOf(steady)];
}

function memoryOf(name: string, samples: readonly Sample[]): Figure[] {
  const points = samples.map(({ at, rss }) => [at, rss[name] ?? 0] as const);
  const third = Math.max(1, Math.floor(points.length / 3));
  const [first, last] = [points.slice(0, third), points.slice(-third)].map((some) =>
    median(some.map(([, y]) => y)),
  );
  if (first === undefined || last === undefined) throw new Error('Nothing was measured.');
  return [
    { name: `${name}, resident, median of the last part`, value: last, unit: 'MB', bar: { below: 250 } },
    { name: `${name}, last part / first part`, value: last / first, unit: 'x', bar: { below: 1.1 } },
    { name: `${name}, slope`, value: slope(points) * HOUR_MS, unit: 'MB/h' },
  ];
}

/** Least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

/** Those that hold anything worth speaking of, and whichever grew. */
function tablesOf(samples: readonly Sample[]): Figure[] {
  const [first, last] = [samples[0]?.tables ?? {}, samples.at(-1)?.tables ?? {}];
  const figures: Figure[] = [];
  for (const [name, { bytes, live, dead }] of Object.entries(last)) {
    const before = first[name];
    if (before === undefined || bytes <= SMALL_BYTES) continue;
    if (HISTORY.has(name)) {
      const growth = bytes / Math.max(1, live) / (before.bytes / Math.max(1, before.live));
      figures.push({
        name: `${name}, ${live} rows, bytes of a row`,
        value: bytes / Math.max(1, live),
        unit: 'B',
      });
      figures.push({
        name: `${name}, bytes of a row, end / warm`,
        value: growth,
        unit: 'x',
        bar: { below: 1.1 },
      });
    } else {
      figures.push({ name: `${name}, ${live} rows, ${dead} dead`, value: bytes / 1024, unit: 'kB' });
      figures.push({
        name: `${name}, bytes, end / warm`,
        value: bytes / before.bytes,
        unit: 'x',
        bar: { below: 1.1 },
      });
    }
  }
  return figures;
}
