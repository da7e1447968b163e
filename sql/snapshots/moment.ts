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

export class SnapshotBusy extends coded('NS_SNAPSHOT_BUSY') {
  constructor(brandId: string) {
    super(`Another process works on the snapshots of brand ${brandId} now.`, {
      hint: 'It is tried again by itself. See what runs: npx nightshift jobs list',
      context: { brandId },
    });
  }
}

/** Text that does not depend on the settings of a server, and limits of time. Sorts of a part fit into memory. */
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
  if (!rows[0]?.ours) throw new SnapshotBusy(brandId);
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
  await readAlike(tx, limitSeconds);
}

/** Until the transaction ends, rows have the text that the hashes of a snapshot are made of. */
export async function readAlike(tx: Tx, limitSeconds: number): Promise<void> {
  for (const [name, value] of Object.entries(settings(limitSeconds)))
    await tx.query('select set_config($1, $2, true)', [name, value]);
}
