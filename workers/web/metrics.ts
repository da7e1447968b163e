/**
 * Figures for Prometheus: what this process has counted, and what the database says of jobs, syncs, slots and
 * deliveries. They are read at most once in some seconds, whoever asks, and no label names a brand or an object.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import { cached } from './cached.ts';
import type { Outcome } from './webhooks.ts';

const KNOWN_MS = 15_000;
/** Bounds the labels: tasks, streams and states are few. */
const ROWS_MAX = 500;
/** Runs are numbered as they begin; older ones do not count. */
const RUNS_READ_MAX = 5_000;

type Figures = { name: string; help: string; labels: readonly string[]; sql: string };

/** Each gives a row per set of labels, with its `value`. */
const FIGURES: readonly Figures[] = [
  {
    name: 'nightshift_jobs',
    help: 'jobs on the queue',
    labels: ['task', 'state'],
    sql: 'select task, state, count(*)::float8 as value from ops.jobs group by task, state',
  },
  {
    name: 'nightshift_job_wait_seconds',
    help: 'how long the job that is most overdue has been waiting',
    labels: ['task'],
    sql: `select task, extract(epoch from now() - min(run_at))::float8 as value from ops.jobs
          where state in ('waiting', 'retrying') and run_at <= now() group by task`,
  },
  {
    name: 'nightshift_recent_runs',
    help: 'runs that ended in the last 15 minutes',
    labels: ['task', 'outcome'],
    sql: `select task, outcome, count(*)::float8 as value from (${recentRuns()}) r group by task, outcome`,
  },
  {
    name: 'nightshift_recent_run_seconds',
    help: 'how long runs of the last 15 minutes took, by quantile',
    labels: ['task', 'quantile'],
    sql: `select task, q.quantile::text,
                 percentile_cont(q.quantile) within group (order by extract(epoch from finished_at - started_at))::float8
                   as value
          from (${recentRuns()}) r cross join (values (0.5), (0.95), (1.0)) q (quantile) group by task, q.quantile`,
  },
  {
    name: 'nightshift_sync_lag_seconds',
    help: 'since when the connection that is furthest behind has not been read to its end',
    labels: ['stream'],
    sql: `select stream, extract(epoch from now() - min(last_success_at))::float8 as value
          from ops.positions where last_success_at is not null group by stream`,
  },
  {
    name: 'nightshift_streams',
    help: 'streams of connections by state',
    labels: ['stream', 'state'],
    sql: 'select stream, state, count(*)::float8 as value from ops.positions group by stream, state',
  },
  {
    name: 'nightshift_slots',
    help: 'slots of schedules that were decided in the last hour',
    labels: ['outcome'],
    sql: `select outcome, count(*)::float8 as value from ops.schedule_slots
          where decided_at > now() - interval '1 hour' group by outcome`,
  },
  {
    name: 'nightshift_webhook_hints',
    help: 'objects that deliveries call changed and that are not read yet',
    labels: ['stream'],
    sql: 'select stream, count(*)::float8 as value from ops.webhook_hints group by stream',
  },
  {
    name: 'nightshift_webhooks_waiting',
    help: 'deliveries that wait to be loaded, or to be relayed',
    labels: ['for'],
    sql: `select 'load' as for, count(*)::float8 as value from ops.webhook_deliveries
          where rows_of is not null and loaded_at is null
          union all select 'relay', count(*)::float8 from ops.webhook_deliveries where relay = 'waiting'`,
  },
  {
    name: 'nightshift_webhooks_lag_seconds',
    help: 'how long the oldest of them waits',
    labels: ['for'],
    sql: `select 'load' as for, extract(epoch from now() - min(received_at))::float8 as value
          from ops.webhook_deliveries where rows_of is not null and loaded_at is null
          union all select 'relay', extract(epoch from now() - min(received_at))::float8
          from ops.webhook_deliveries where relay = 'waiting'`,
  },
  {
    name: 'nightshift_webhooks_failing',
    help: 'connections whose work for deliveries fails: to forward them (relay), or to follow and load them',
    labels: ['for'],
    sql: `select case when work = 'relay' then work else 'load' end as for, count(distinct connection_id)::float8 as value
          from ops.webhook_trouble group by 1`,
  },
];

function recentRuns(): string {
  return `select task, outcome, started_at, finished_at
          from (select * from ops.job_runs order by id desc limit ${RUNS_READ_MAX}) newest
          where finished_at > now() - interval '15 minutes'`;
}

export type Metrics = {
  count(provider: string, outcome: Outcome, seconds: number): void;
  handler(): Promise<Response>;
};

export function makeMetrics(db: Db, log: Log): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['provider', 'outcome'];
  const deliveries = new Counter({
    ...{
      name: 'nightshift_webhooks_total',
      help: 'deliveries by what became of them',
      labelNames,
      registers,
    },
  });
  const seconds = new Histogram({
    ...{
      name: 'nightshift_webhook_seconds',
      help: 'time to the answer of a delivery',
      labelNames,
      registers,
    },
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  });
  const isUp = new Gauge({
    ...{ name: 'nightshift_database_up', help: '1 if the other figures could be read', registers },
  });
  const gauges = FIGURES.map(({ name, help, labels, sql }) => ({
    sql,
    labels,
    gauge: new Gauge({ name, help, labelNames: labels, registers }),
  }));

  const read = async () => {
    for (const { gauge, labels, sql } of gauges) {
      const { rows } = await db.query<Record<string, string | number | null>>(`${sql} limit ${ROWS_MAX}`);
      gauge.reset();
      for (const { value, ...row } of rows)
        gauge.set(Object.fromEntries(labels.map((label) => [label, String(row[label])])), Number(value ?? 0));
    }
  };
  const refresh = cached(KNOWN_MS, () =>
    read().then(
      () => isUp.set(1),
      (error: unknown) => {
        isUp.set(0);
        log.warn({ reason: messageOf(error) }, 'the metrics could not be read');
      },
    ),
  );

  return {
    count(provider, outcome, took) {
      deliveries.inc({ provider, outcome });
      seconds.observe({ provider, outcome }, took);
    },
    async handler() {
      await refresh();
      return new Response(await registry.metrics(), { headers: { 'content-type': registry.contentType } });
    },
  };
}
