/**
 * Many accounts of many brands, each read to its end an hour ago: what an hour costs in which nothing happened, and
 * one with a change in each account. Providers and worker are processes of their own. The accounts are synced as cron
 * asks for them, a brand at a time; the clock is played, an hour further for each round.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeKeyring, streamsOf } from '../connectors/providers.ts';
import { sealer } from '../sql/tenants/secrets.ts';
import { requestSyncs } from '../tasks/request_syncs.ts';
import type { BenchOptions, Figure } from './support/bench.ts';
import { addFleet, CONNECTIONS_EACH, type Fleet } from './support/fleet.ts';
import { quantile } from './support/measure.ts';
import { sessionsClock } from './support/processor.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { type SyncWorker, startSyncWorker } from './support/sync_worker.ts';

const PROVIDER = fileURLToPath(new URL('programs/fleet_provider.ts', import.meta.url));
const LARGE = 2_000;
const SMALL = 200;
/** Of a small fleet so many hours are measured that as many accounts are read. */
const MEASURED_MIN = 1_000;
const HOUR_MS = 3_600_000;
const POLL_MS = 50;
const ROUND_MS_MAX = 5 * 60_000;
/** Of what the worker can do at most, when brands ask evenly spread over time. */
const FAIR_SHARE = 0.5;

export async function benchFleet(server: BenchServer, { connections }: BenchOptions): Promise<Figure[]> {
  if (connections !== undefined) return figuresOf(await measured(server, connections));
  const small = await measured(server, SMALL);
  const large = await measured(server, LARGE);
  const ratio = (of: (one: Measured) => Round) => cost(of(large)) / cost(of(small));
  return [
    ...figuresOf(large),
    {
      name: `quiet, cost per account, ${LARGE} / ${SMALL}`,
      value: ratio(({ quiet }) => quiet),
      unit: 'x',
      bar: { below: 1.2 },
    },
    {
      name: `changed, cost per account, ${LARGE} / ${SMALL}`,
      value: ratio(({ changed }) => changed),
      unit: 'x',
      bar: { below: 1.2 },
    },
  ];
}

/** Of one account, in milliseconds of processor time. */
type Round = { perSecond: number; requests: number; jobs: number; databaseMs: number; workerMs: number };
type Measured = { connections: number; quiet: Round; changed: Round; waitsMs: number[] };

function cost({ databaseMs, workerMs }: Round): number {
  return databaseMs + workerMs;
}

function figuresOf({ connections, quiet, changed, waitsMs }: Measured): Figure[] {
  const of = (name: string, round: Round, bars: { requests?: number; jobs?: number }): Figure[] => [
    { name: `${name}, accounts`, value: round.perSecond, unit: 'syncs/s' },
    {
      name: `${name}, requests`,
      value: round.requests,
      unit: 'per account',
      ...(bars.requests && { bar: { below: bars.requests } }),
    },
    {
      name: `${name}, jobs`,
      value: round.jobs,
      unit: 'per account',
      ...(bars.jobs && { bar: { below: bars.jobs } }),
    },
    {
      name: `${name}, processor time of PostgreSQL's sessions`,
      value: round.databaseMs,
      unit: 'ms per account',
    },
    { name: `${name}, processor time of the worker`, value: round.workerMs, unit: 'ms per account' },
  ];
  return [
    { name: 'accounts', value: connections, unit: 'accounts' },
    ...of('quiet', quiet, { requests: 3.001, jobs: 1.001 }),
    ...of('one change each', changed, {}),
    { name: 'wait in the queue at half the pace, median', value: quantile(waitsMs, 0.5), unit: 'ms' },
    { name: 'wait in the queue at half the pace, p99', value: quantile(waitsMs, 0.99), unit: 'ms' },
  ];
}

async function measured(server: BenchServer, connections: number): Promise<Measured> {
  const db = await server.freshDatabase();
  await using provider = await startProvider();
  const key = randomBytes(32);
  const keyring = makeKeyring(sealer([{ id: 'bench', key }]), []);
  const readTo = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS);
  const fleet = await addFleet(db, keyring, { url: provider.url, connections, readTo });
  const env = { ...process.env, NIGHTSHIFT_SECRET_KEYS: `bench:${key.toString('base64')}` };
  await using worker = await startSyncWorker(db.url, env);
  const place: Place = { db, worker, provider, fleet };
  let hour = 0;
  await round(place, ++hour); // plans, connections and code are warm from here on
  const rounds = Math.max(1, Math.ceil(MEASURED_MIN / connections));
  const quiet = await measuredRound(place, rounds, () => ++hour);
  const changed = await measuredRound(place, rounds, async () => {
    hour += 1;
    await provider.change((readTo.getTime() + hour * HOUR_MS) / 1000 - 1_800);
    return hour;
  });
  await provider.change(undefined);
  await round(place, ++hour);
  const waitsMs = await fairRound(place, ++hour, quiet.perSecond * FAIR_SHARE);
  return { connections: fleet.brands.length * CONNECTIONS_EACH, quiet, changed, waitsMs };
}

type Place = { db: BenchDb; worker: SyncWorker; provider: Provider; fleet: Fleet };

async function measuredRound(
  place: Place,
  rounds: number,
  next: () => number | Promise<number>,
): Promise<Round> {
  const { db, worker, provider, fleet } = place;
  const accounts = fleet.brands.length * CONNECTIONS_EACH * rounds;
  const sessions = await sessionsClock(db);
  const before = { requests: await provider.requests(), jobs: await jobsDone(db), cpu: worker.cpuSeconds() };
  let seconds = 0;
  for (let count = 0; count < rounds; count++) {
    const hour = await next();
    const start = performance.now();
    await round(place, hour);
    seconds += (performance.now() - start) / 1000;
  }
  await sessions.look();
  await sleep(2 * POLL_MS); // the worker tells its time by and by
  return {
    perSecond: accounts / seconds,
    requests: ((await provider.requests()) - before.requests) / accounts,
    jobs: ((await jobsDone(db)) - before.jobs) / accounts,
    databaseMs: (sessions.seconds() * 1000) / accounts,
    workerMs: ((worker.cpuSeconds() - before.cpu) * 1000) / accounts,
  };
}

/** All accounts at once, until none is left. */
async function round(place: Place, hour: number): Promise<void> {
  for (const brand of place.fleet.brands) await request(place, brand, hour);
  await untilDone(place);
}

/** A brand after the other at an even pace; gives how long each job waited for a worker. */
async function fairRound(place: Place, hour: number, perSecond: number): Promise<number[]> {
  const { db, fleet } = place;
  const queuedAt = new Map<string, number>();
  const start = performance.now();
  for (const [index, brand] of fleet.brands.entries()) {
    const dueMs = ((index * CONNECTIONS_EACH) / perSecond) * 1000 - (performance.now() - start);
    if (dueMs > 0) await sleep(dueMs);
    const askedAt = Date.now();
    for (const job of await request(place, brand, hour)) queuedAt.set(job, askedAt);
  }
  await untilDone(place);
  const { rows } = await db.query<{ job: string; started: number }>(
    `select job_id::text as job, extract(epoch from min(started_at))::float8 * 1000 as started
     from ops.job_runs where job_id = any ($1::bigint[]) group by job_id`,
    [[...queuedAt.keys()]],
  );
  return rows.map(({ job, started }) => Math.max(0, started - (queuedAt.get(job) ?? started)));
}

async function request(
  { db, fleet }: Place,
  brand: Fleet['brands'][number],
  hour: number,
): Promise<string[]> {
  const now = new Date(fleet.readTo.getTime() + hour * HOUR_MS).toISOString();
  const jobs: string[] = [];
  for (const { brandId, id: connectionId, provider } of brand) {
    const wanted = { streams: streamsOf(provider), now };
    const requested = await db.transaction((tx) => requestSyncs(tx, { brandId, connectionId }, wanted));
    jobs.push(...requested.map(({ job }) => job));
  }
  return jobs;
}

const OURS = "task in ('sync_connection', 'sync_stream')";

async function untilDone({ db, worker }: Place): Promise<void> {
  const endsAt = performance.now() + ROUND_MS_MAX;
  for (;;) {
    worker.assertAlive();
    const { rows } = await db.query<{ open: number }>(
      `select count(*)::int as open from ops.jobs where ${OURS}`,
    );
    if (rows[0]?.open === 0) return assertGreen(db);
    if (performance.now() > endsAt) throw new Error(`${rows[0]?.open} syncs are left.`);
    await sleep(POLL_MS);
  }
}

async function assertGreen(db: BenchDb): Promise<void> {
  const { rows } = await db.query<{ cause: string }>(
    "select coalesce(cause, state) as cause from ops.positions where state <> 'ok' limit 1",
  );
  if (rows[0]) throw new Error(`A stream is not complete: ${rows[0].cause}`);
}

async function jobsDone(db: BenchDb): Promise<number> {
  const { rows } = await db.query<{ n: number }>(`select count(*)::int as n from ops.job_runs where ${OURS}`);
  return rows[0]?.n ?? 0;
}

type Provider = AsyncDisposable & {
  url: string;
  requests(): Promise<number>;
  /** Each account changes at this second, or not any more. */
  change(at: number | undefined): Promise<void>;
};

async function startProvider(): Promise<Provider> {
  const child: ChildProcess = fork(PROVIDER);
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  let at: number | undefined;
  const tell = async () => {
    child.send({ at });
    const [{ requests }] = (await once(child, 'message')) as [{ requests: number }];
    return requests;
  };
  return {
    url,
    requests: tell,
    async change(next) {
      at = next;
      await tell();
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      const exit = once(child, 'exit');
      child.disconnect();
      await exit;
    },
  };
}
