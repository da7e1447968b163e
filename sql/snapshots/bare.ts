/**
 * Tables of a database of its own while they are filled: without foreign keys, so that their order is free, and without triggers,
 * which have done their work where the rows come from.
 */
import type { Tx } from '../db/pool.ts';

export type Bared = { keys: { table: string; name: string; definition: string }[]; triggered: string[] };

const OURS = "array['app', 'raw', 'agg', 'ops']";

export async function bare(tx: Tx): Promise<Bared> {
  const { rows: keys } = await tx.query<Bared['keys'][number]>(
    `select conrelid::regclass::text as table, quote_ident(conname) as name, pg_get_constraintdef(oid) as definition
     from pg_constraint
     where contype = 'f' and conparentid = 0 and connamespace::regnamespace::text = any (${OURS}) order by 1, 2`,
  );
  const { rows: triggered } = await tx.query<{ table: string }>(
    `select distinct g.tgrelid::regclass::text as table
     from pg_trigger g join pg_class t on t.oid = g.tgrelid
     where not g.tgisinternal and t.relnamespace::regnamespace::text = any (${OURS}) order by 1`,
  );
  for (const { table, name } of keys) await tx.query(`alter table ${table} drop constraint ${name}`);
  for (const { table } of triggered) await tx.query(`alter table ${table} disable trigger user`);
  return { keys, triggered: triggered.map(({ table }) => table) };
}

/** As they were, with all rows proved; numbers go on behind those that came. */
export async function dress(tx: Tx, { keys, triggered }: Bared): Promise<void> {
  for (const { table, name, definition } of keys)
    await tx.query(`alter table ${table} add constraint ${name} ${definition}`);
  for (const table of triggered) await tx.query(`alter table ${table} enable trigger user`);
  const { rows } = await tx.query<{ table: string; column: string; text: string }>(
    `select attrelid::regclass::text as table, quote_ident(attname) as column, attname::text as text
     from pg_attribute a join pg_class t on t.oid = a.attrelid
     where a.attidentity <> '' and t.relnamespace::regnamespace::text = any (${OURS}) order by 1, 2`,
  );
  for (const { table, column, text } of rows)
    await tx.query(
      `select setval(pg_get_serial_sequence($1, $2), last) from (select max(${column}) as last from ${table}) m
       where last is not null`,
      [table, text],
    );
}
