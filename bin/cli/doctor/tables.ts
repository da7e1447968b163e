/** Checks of what keeps PostgreSQL from removing old rows, and of what that has led to. */
import { readAge } from '#sql/maintenance/tables.ts';
import { count, grouped, span } from '../ui/format.ts';
import { type Check, type Finding, failure, NAMED_MAX, named, ok, warning } from './check.ts';

const WARNING_SECONDS = 15 * 60;
const FAILURE_SECONDS = 60 * 60;

type Holder = { what: string; seconds: number; age: number; mend: string; total: number };

/** A session with an old snapshot keeps vacuum from removing rows that were deleted since, in every table. */
export const transactions = transactionsOver(WARNING_SECONDS);

export function transactionsOver(seconds: number): Check {
  const run: Check['run'] = async ({ db }) => {
    const { rows } = await db.query<Holder>(HOLDERS, [seconds]);
    if (rows.length === 0) return ok(`no transaction is older than ${span(seconds * 1_000)}`);
    return named(rows, rows[0]?.total, ({ what, seconds, age, mend }) => {
      const said = `${what} holds vacuum back for ${span(seconds * 1_000)} (${count(age, 'transaction')} since).`;
      return (seconds < FAILURE_SECONDS ? warning : failure)(said, mend);
    });
  };
  return { name: 'long transactions', anySchema: true, run };
}

const HOLDERS = `
  select *, count(*) over ()::int as total from (
  select format('Session %s (%s, %s, %s)', pid, usename, coalesce(nullif(application_name, ''), 'without a name'), state) as what,
         extract(epoch from clock_timestamp() - xact_start)::float8 as seconds,
         coalesce(age(coalesce(backend_xmin, backend_xid)), 0)::int as age,
         format('psql: select pg_terminate_backend(%s)', pid) as mend
  from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and xact_start < now() - make_interval(secs => $1)
    and coalesce(backend_xmin, backend_xid) is not null
  union all
  select format('Prepared transaction %s', gid), extract(epoch from clock_timestamp() - prepared)::float8, age(transaction)::int,
         format('psql: rollback prepared %L', gid)
  from pg_prepared_xacts
  where database = current_database() and prepared < now() - make_interval(secs => $1)
  ) holders order by seconds desc limit ${NAMED_MAX}`;

const FREEZES_MISSED = 2;
/** As `vacuum_failsafe_age`: from there on vacuum does nothing else. The server refuses to write at 2.1 billion. */
const XID_FAILURE = 1_600_000_000;

/** PostgreSQL counts transactions in 32 bits: old rows are frozen in time by vacuum, or it stops. */
export const transactionIds: Check = {
  name: 'transaction ids',
  anySchema: true,
  async run({ db }) {
    const { rows } = await db.query<{ freeze: number }>(
      "select current_setting('autovacuum_freeze_max_age')::int as freeze",
    );
    const { xid } = await readAge(db);
    return judgeAge(xid, rows[0]?.freeze ?? 0);
  },
};

export function judgeAge(xid: number, freeze: number): Finding {
  const said = `the oldest row that is not frozen is ${count(xid, 'transaction')} old`;
  const mend = 'end what holds vacuum back (long transactions), then in psql: vacuum (freeze)';
  if (xid >= XID_FAILURE) return failure(`${said}; at 2,100,000,000 the server writes nothing more.`, mend);
  return xid >= FREEZES_MISSED * freeze
    ? warning(`${said}; autovacuum freezes at ${grouped(freeze)}.`, mend)
    : ok(said);
}

const DEAD_MIN = 10_000;

type Bloated = { name: string; dead: number; live: number; vacuumed: Date | null; total: number };

/** Rows that are deleted or replaced and take room, by what PostgreSQL counts. */
export const bloat: Check = {
  name: 'bloat',
  anySchema: true,
  async run({ db }) {
    const { rows } = await db.query<Bloated>(BLOATED);
    if (rows.length === 0) return ok('no table has more dead rows than live ones');
    return named(rows, rows[0]?.total, ({ name, dead, live, vacuumed }) => {
      const last = vacuumed === null ? 'it was never vacuumed' : `last vacuumed ${vacuumed.toISOString()}`;
      const said = `${name} has ${count(dead, 'dead row')} and ${count(live, 'live one')}; ${last}.`;
      return warning(said, `psql: vacuum (analyze) ${name}`);
    });
  },
};

const BLOATED = `
  select relid::regclass::text as name, n_dead_tup::float8 as dead, n_live_tup::float8 as live,
         greatest(last_vacuum, last_autovacuum) as vacuumed,
         count(*) over ()::int as total
  from pg_stat_user_tables
  where schemaname in ('app', 'raw', 'agg', 'ops', 'graphile_worker')
    and n_dead_tup > ${DEAD_MIN} and n_dead_tup > n_live_tup
  order by n_dead_tup desc, name limit ${NAMED_MAX}`;
