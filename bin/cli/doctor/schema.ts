/** Whether the migrations are those of this release, and whether all indexes, constraints and triggers are in force. */
import { NightshiftError } from '#runtime/errors.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { type Check, failure, NAMED_MAX, named, ok } from './check.ts';

export const schema: Check = {
  name: 'schema',
  anySchema: true,
  async run({ url }) {
    await using db = openDb(url, { applicationName: 'nightshift doctor', max: 1 });
    try {
      await assertSchema(db);
      return ok('all migrations of this release are applied, and no others');
    } catch (error) {
      if (error instanceof NightshiftError)
        return failure(error.message, error.hint ?? 'npx nightshift migrate');
      throw error;
    }
  },
};

/** Indexes that a failed build left behind, and constraints that nobody validated: nothing relies on them. */
export const invalid: Check = {
  name: 'invalid objects',
  anySchema: true,
  async run({ db }) {
    const { rows } = await db.query<{ what: string; mend: string; total: number }>(
      `select *, count(*) over ()::int as total from (
       select format('Index %s is not valid', i.indexrelid::regclass) as what, format('psql: reindex index %s', i.indexrelid::regclass) as mend
       from pg_index i join pg_class t on t.oid = i.indrelid
       where not i.indisvalid and t.relnamespace::regnamespace::text = any ($1)
       union all
       select format('Constraint %I of %s is not validated', k.conname, k.conrelid::regclass),
              format('psql: alter table %s validate constraint %I', k.conrelid::regclass, k.conname)
       from pg_constraint k where not k.convalidated and k.connamespace::regnamespace::text = any ($1)
       union all
       select format('Trigger %I of %s is off', g.tgname, g.tgrelid::regclass),
              format('psql: alter table %s enable trigger %I', g.tgrelid::regclass, g.tgname)
       from pg_trigger g join pg_class t on t.oid = g.tgrelid
       where g.tgenabled = 'D' and t.relnamespace::regnamespace::text = any ($1)
       ) invalid order by what limit ${NAMED_MAX}`,
      [['app', 'raw', 'agg', 'ops', 'graphile_worker']],
    );
    if (rows.length === 0) return ok('no index is invalid, no constraint unvalidated, no trigger off');
    return named(rows, rows[0]?.total, ({ what, mend }) => failure(`${what}.`, mend));
  },
};
