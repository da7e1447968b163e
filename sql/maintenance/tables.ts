/**
 * Which tables are to be vacuumed. The rule is that of autovacuum, with its settings (PostgreSQL, "The Autovacuum Daemon"): dead
 * rows over a threshold and a share of the table, the same of inserted rows, or old transaction ids. Where autovacuum works, it
 * comes first: only what it is far behind with is due.
 * https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM
 */
import type { Reader } from '../db/reader.ts';

export const SCHEMAS = ['app', 'raw', 'agg', 'ops', 'graphile_worker'];

/** So many times its threshold, where autovacuum does not mend it by itself. */
const BEHIND = 3;

export type DueTable = { name: string; dead: number; live: number; xidAge: number };

/** The worst first, of ours and of the catalogue: each restore makes and drops tables. */
export async function tablesToVacuum(db: Reader, max: number): Promise<DueTable[]> {
  const { rows } = await db.query<DueTable>(
    `with due as (
       select t.oid, greatest(t.reltuples, s.n_live_tup, 0)::float8 as rows, s.n_dead_tup::float8 as dead,
              s.n_ins_since_vacuum::float8 as inserted, age(t.relfrozenxid) as xid_age,
              case when current_setting('autovacuum')::boolean
                     and coalesce((select o.option_value::boolean from pg_options_to_table(t.reloptions) o
                                   where o.option_name = 'autovacuum_enabled'), true)
                   then ${BEHIND} else 1 end as patience
       from pg_class t
       join pg_stat_all_tables s on s.relid = t.oid
       where t.relkind = 'r' and t.relpersistence = 'p' and not t.relisshared
         and (s.schemaname = any ($1) or s.schemaname = 'pg_catalog')
         and (pg_has_role(t.relowner, 'usage') or exists (
           select from pg_database d where d.datname = current_database() and pg_has_role(d.datdba, 'usage')))
     )
     select oid::regclass::text as name, dead, rows as live, xid_age as "xidAge" from due
     where dead > patience * (current_setting('autovacuum_vacuum_threshold')::float8
                              + current_setting('autovacuum_vacuum_scale_factor')::float8 * rows)
        or inserted > patience * (current_setting('autovacuum_vacuum_insert_threshold')::float8
                                  + current_setting('autovacuum_vacuum_insert_scale_factor')::float8 * rows)
           and current_setting('autovacuum_vacuum_insert_threshold')::float8 >= 0
        or xid_age > current_setting('autovacuum_freeze_max_age')::float8
     order by xid_age > current_setting('autovacuum_freeze_max_age')::float8 desc, dead desc, name limit $2`,
    [SCHEMAS, max],
  );
  return rows;
}

export type Age = {
  /** Transactions since the oldest row that is not frozen. */
  xid: number;
  /** Of the oldest transaction of this database that sees or has written something; 0 without any. */
  transactionSeconds: number;
};

export async function readAge(db: Reader): Promise<Age> {
  const { rows } = await db.query<Age>(
    `select age(d.datfrozenxid) as xid,
            coalesce((select max(extract(epoch from clock_timestamp() - a.xact_start)) from pg_stat_activity a
                      where a.datname = current_database() and a.pid <> pg_backend_pid()
                        and coalesce(a.backend_xmin, a.backend_xid) is not null), 0)::float8 as "transactionSeconds"
     from pg_database d where d.datname = current_database()`,
  );
  return rows[0] ?? { xid: 0, transactionSeconds: 0 };
}
