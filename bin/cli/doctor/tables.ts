/** Checks of what keeps PostgreSQL from removing old rows, and of what that has led to. */
import { count, span } from '../ui/format.ts';
import { type Check, failure, NAMED_MAX, named, ok, warning } from './check.ts';

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
