/**
 * Makes a database that a test has used as good as a new copy of the template, which takes a tenth of the time that
 * a copy takes. What cannot be undone in full (another schema, other seeds) is refused: such a database serves nobody
 * again.
 */
import pg from 'pg';
import type { Db } from '#sql/db/pool.ts';

/** What a new copy holds: how many rows its catalogues and seeds have, and what was made or written last. */
export type Baseline = { counts: Record<string, number>; lastOid: number; since: string };

const CATALOGUES = [
  ...['pg_attrdef', 'pg_attribute', 'pg_class', 'pg_constraint', 'pg_description', 'pg_index', 'pg_inherits'],
  ...['pg_proc', 'pg_rewrite', 'pg_statistic_ext', 'pg_trigger', 'pg_type'],
];
/** Of a table up to this size the planner assumes the same as of an empty one that was never analyzed; others are made anew. */
const PAGES_MAX = 10;
const TERMINATE_MS_MAX = 5_000;
const OURS = "relnamespace = any ('{agg,app,ops,raw,graphile_worker}'::regnamespace[])";

export async function baselineOf(db: Db): Promise<Baseline> {
  const seeds = await textsOf(
    db,
    `select oid::regclass::text from pg_class where relkind = 'r' and ${OURS} and pg_relation_size(oid) > 0`,
  );
  const counted = [...CATALOGUES, ...seeds].map(
    (name) => `select '${name}' as name, count(*)::int as count from ${name}`,
  );
  const { rows } = await db.query<{ name: string; count: number }>(counted.join(' union all '));
  const counts = Object.fromEntries(rows.map(({ name, count }) => [name, count]));
  const [lastOid] = await textsOf(db, 'select max(oid) from pg_class');
  return { counts, lastOid: Number(lastOid), since: (await textsOf(db, NOW))[0] ?? '' };
}

const NOW = 'select pg_current_xact_id()::xid::text';

/** The last transaction before its next use; undefined if it is of no further use. */
export async function recycled({ pool }: Db, baseline: Baseline): Promise<string | undefined> {
  let session: pg.PoolClient | undefined;
  try {
    session = await pool.connect();
    while (pool.idleCount > 0) (await pool.connect()).release(true);
    const since = await madeAsNew(session, baseline);
    return pool.totalCount === 1 ? since : undefined; // else somebody still has a session of it
  } catch (error) {
    if (isDatabaseError(error)) return undefined; // read-only, gone or full, as its test wanted it
    throw error;
  } finally {
    session?.release();
  }
}

const isDatabaseError = (error: unknown): boolean =>
  error instanceof pg.DatabaseError || (error instanceof Error && isDatabaseError(error.cause));

async function madeAsNew(
  session: pg.ClientBase,
  { counts, lastOid, since }: Baseline,
): Promise<string | undefined> {
  await session.query(`${FORGET}; ${LEAVE}; ${dropTablesAfter(lastOid)}`);
  const differs = Object.entries(counts).map(
    ([name, count]) =>
      `(select count(*) <> ${count} or coalesce(bool_or(age(xmin) < age('${since}'::xid)), false) from ${name})`,
  );
  const { rows } = await session.query(`select ${differs.join(' or ')} or ${HAS_SETTINGS} as differs`);
  if (rows[0]?.differs !== false) return undefined;
  const used = await textsOf(session, USED, [Object.keys(counts)]);
  const grown = await textsOf(session, GROWN, [used]);
  const emptied = used.map((name) => `${grown.includes(name) ? 'truncate' : 'delete from'} ${name}`);
  const asReplica = 'begin; set local session_replication_role = replica'; // triggers and foreign keys rest
  await session.query([asReplica, ...emptied, ...RESETS, 'commit'].join(';'));
  await session.query('select pg_stat_force_next_flush()'); // what it counted of these, dead rows above all, is forgotten too
  await session.query('select pg_stat_reset()');
  return (await textsOf(session, NOW))[0];
}

/** What a session keeps of its test. Statements that it has prepared stay: its client relies on them. */
const FORGET = `close all; unlisten *; discard temp; discard sequences; reset session authorization; reset all;
  select pg_advisory_unlock_all()`;

const LEAVE = `select pg_terminate_backend(pid, ${TERMINATE_MS_MAX}) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`;

/** Those that a test has made. */
const dropTablesAfter = (lastOid: number) => `do $$ declare name text; begin
  for name in select oid::regclass from pg_class where relkind = 'r' and oid > ${lastOid}
      and (${OURS} or relnamespace = 'public'::regnamespace) loop
    execute 'drop table ' || name || ' cascade';
  end loop; end $$`;

const HAS_SETTINGS = `exists (select from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
  where d.datname = current_database())`;

const USED = `select oid::regclass::text from pg_class
  where relkind = 'r' and ${OURS} and pg_relation_size(oid) > 0 and oid::regclass::text <> all ($1)`;

const GROWN = `select name from unnest($1::text[]) name
  where pg_relation_size(name::regclass) > ${PAGES_MAX} * current_setting('block_size')::int`;

const RESETS = [
  'delete from pg_statistic where starelid >= 16384',
  'delete from pg_statistic_ext_data',
  `update pg_class set reltuples = -1, relpages = 0, relallvisible = 0
   where relkind = 'r' and ${OURS} and (reltuples, relpages) <> (-1, 0)`,
  `update pg_class set reltuples = 0, relpages = 1
   where relkind = 'i' and ${OURS} and (reltuples, relpages) <> (0, 1)`,
  `select setval(format('%I.%I', schemaname, sequencename), start_value, false) from pg_sequences
   where last_value is not null and sequencename <> 'migrations_id_seq'`,
];

type Asked = { query(text: string, values?: unknown[]): Promise<{ rows: object[] }> };

async function textsOf(db: Asked, text: string, values?: unknown[]): Promise<string[]> {
  return (await db.query(text, values)).rows.map((row) => String(Object.values(row)[0]));
}
