/**
 * One instant of the database, seen alike by several sessions. They only read, and their transactions have a limit: as
 * long as they live, vacuum removes nothing that was deleted since.
 */
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '../db/pool.ts';

export type Moment = {
  /** What `set transaction snapshot` takes. */
  exported: string;
  at: Date;
  lsn: string;
  serverVersion: number;
  schemaVersion: string;
};

/** The session that works on the snapshots of a brand; null what its role may not see, or what has just ended. */
type Holder = {
  brand: string;
  pid: number | null;
  application: string | null;
  since: Date | null;
  kind: string | null;
  jobId: string | null;
};

export class SnapshotBusy extends coded('NS_SNAPSHOT_BUSY') {
  constructor({ brand, pid, application, since, kind, jobId }: Holder) {
    const run = kind === null ? '' : `, ${kind}${jobId === null ? '' : ` of job ${jobId}`}`;
    const who =
      pid === null
        ? 'it has just ended'
        : `${application || 'a session'}${run}, process ${pid} of the server`;
    const from = since === null ? '' : `, since ${since.toISOString()}`;
    super(`Another process works on the snapshots of brand ${brand} now: ${who}${from}.`, {
      hint: `A job tries again by itself; give a command again once that has ended. See what runs: npx nightshift jobs list --brand ${brand}`,
      context: { brand, pid, job: jobId },
    });
  }
}

/** Text that does not depend on the settings of a server, and limits of time. Rows are compared in memory. */
const settings = (limitSeconds: number) => ({
  timezone: 'UTC',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  search_path: 'pg_catalog',
  work_mem: '64MB',
  lock_timeout: '30s',
  statement_timeout: `${limitSeconds}s`,
  idle_in_transaction_session_timeout: `${limitSeconds}s`,
});

/**
 * Several sessions read beside each other: parallel workers would take cores from jobs. Rows come about in order, so a sort that
 * goes through files in small pieces is faster than one in memory that no cache holds.
 */
const READING = { max_parallel_workers_per_gather: '0', work_mem: '32MB' };

const FACTS = `
  select pg_export_snapshot() as exported, transaction_timestamp() as at,
         (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn,
         current_setting('server_version_num')::int as "serverVersion",
         (select name from ops.migrations order by name desc limit 1) as "schemaVersion"`;

/** The moment lasts as long as `work`. Only one at a time for each brand. */
export function atOneMoment<T>(
  db: Pick<Db, 'transaction'>,
  { brandId, limitSeconds }: { brandId: string; limitSeconds: number },
  work: (tx: Tx, moment: Moment) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await readOnly(tx, limitSeconds);
    const { rows } = await tx.query<Moment>(FACTS);
    await lockAlone(tx, brandId);
    const [moment] = rows;
    if (moment === undefined) throw new TypeError('a statement that returns a row returned none');
    return work(tx, moment);
  });
}

/** Until the transaction ends, nobody else makes a snapshot of the brand, or seals the keys of its snapshots. */
export async function lockAlone(tx: Tx, brandId: string): Promise<void> {
  const { rows } = await tx.query<{ ours: boolean }>(
    "select pg_try_advisory_xact_lock(hashtextextended('snapshot ' || $1, 0)) as ours",
    [brandId],
  );
  if (!rows[0]?.ours) throw new SnapshotBusy(await holderOf(tx, brandId));
}

// A run begins just before it takes the lock; one without an end that is older was broken off.
const HOLDER = `
  select coalesce(b.slug, $1::text) as brand, a.pid, a.application_name as application, a.xact_start as since, r.kind, r.job_id::text as "jobId"
  from (select hashtextextended('snapshot ' || $1, 0) as key) k
  left join app.brands b on b.id = $1::uuid
  left join pg_locks l on l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid::bigint << 32) | l.objid::bigint = k.key
  left join pg_stat_activity a on a.pid = l.pid
  left join lateral (
    select kind, job_id from ops.snapshot_runs
    where brand_id = $1::uuid and outcome is null and kind in ('create', 'expire')
      and started_at between a.xact_start - interval '1 minute' and a.xact_start
    order by started_at desc limit 1) r on true
  limit 1`;

async function holderOf(tx: Tx, brandId: string): Promise<Holder> {
  const { rows } = await tx.query<Holder>(HOLDER, [brandId]);
  const [holder] = rows;
  if (holder === undefined) throw new TypeError('an outer join of one row returned none');
  return holder;
}

const IDLE_MINUTES_MAX = 15;

/**
 * Nobody else works on the snapshots of the brand while this lasts. Before a step that no other could repair, `prove` throws
 * if that is no longer so: the server frees the lock of a session that it has lost, and then another one may have it.
 */
export function alone<T>(
  db: Pick<Db, 'transaction'>,
  brandId: string,
  work: (prove: () => Promise<void>) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await lockAlone(tx, brandId);
    await tx.query(`set local idle_in_transaction_session_timeout = '${IDLE_MINUTES_MAX}min'`);
    return work(() => proveSession(tx));
  });
}

/** That the session of the transaction, and so its locks, are still there. */
export async function proveSession(tx: Tx): Promise<void> {
  await tx.query('select');
}

/** A session beside it. */
export function within<T>(
  db: Pick<Db, 'transaction'>,
  { exported, limitSeconds }: { exported: string; limitSeconds: number },
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  return db.transaction(async (tx) => {
    await readOnly(tx, limitSeconds, exported);
    return work(tx);
  });
}

async function readOnly(tx: Tx, limitSeconds: number, exported?: string): Promise<void> {
  await tx.query('set transaction isolation level repeatable read, read only');
  if (exported !== undefined) await tx.query(`set transaction snapshot '${exported.replaceAll("'", '')}'`);
  await setLocal(tx, { ...settings(limitSeconds), ...READING });
}

/** Until the transaction ends, rows have the text that the hashes of a snapshot are made of. */
export async function readAlike(tx: Tx, limitSeconds: number): Promise<void> {
  await setLocal(tx, settings(limitSeconds));
}

async function setLocal(tx: Tx, values: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(values))
    await tx.query('select set_config($1, $2, true)', [name, value]);
}
