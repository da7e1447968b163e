/** Where the parts of a figure come from: the versions of stored objects, the rates; what was restated, and what was closed. */
import type { Reader } from '../db/reader.ts';
import { isRestated } from '../rollups/restate.ts';
import type { Rollup } from '../rollups/rollup.ts';
import type { Cell, PartRow } from './cells.ts';
import { keyOf } from './statement.ts';

/** The version of an object as it is stored, and in which table. */
type Stored = { id: string; changed_at: Date; seen_at: Date; deleted_at: Date | null };
export type Version = Stored & { connection: string; provider: string; table: string };

type Source = { connection_id: string; connection: string; provider: string };

/** A name for what a part names: in `versionsOf`. */
export const objectOf = ({ connection_id, kind, object_id }: PartRow) =>
  `${connection_id} ${kind} ${object_id}`;

/** The stored versions of what the parts name, a statement for each kind of object of a connection. */
export async function versionsOf(
  db: Reader,
  brandId: string,
  parts: readonly PartRow[],
): Promise<Map<string, Version>> {
  const { rows: sources } = await db.query<Source>(
    'select id as connection_id, name as connection, provider from app.connections where brand_id = $1 and id = any ($2::uuid[])',
    [brandId, parts.map(({ connection_id: id }) => id)],
  );
  const versions = new Map<string, Version>();
  const named = parts.filter(({ kind, object_id: id }) => kind !== null && id !== null);
  const groups = Map.groupBy(named, ({ connection_id: id, kind }) => `${id} ${kind}`);
  for (const group of groups.values()) {
    const [{ connection_id, kind } = { connection_id: null, kind: null }] = group;
    const source = sources.find((one) => one.connection_id === connection_id);
    const table = source && (await tableOf(db, `${source.provider}_${kind}`));
    if (source === undefined || table === undefined) continue;
    const { rows } = await db.query<Stored>(
      `select id, changed_at, seen_at, deleted_at from ${table}
       where brand_id = $1 and connection_id = $2 and id = any ($3)`,
      [brandId, connection_id, [...new Set(group.map(({ object_id: id }) => id))]],
    );
    const { connection, provider } = source;
    for (const row of rows)
      versions.set(`${connection_id} ${kind} ${row.id}`, { connection, provider, table, ...row });
  }
  return versions;
}

/** The table as the catalogue spells it, if there is one. */
async function tableOf(db: Reader, name: string): Promise<string | undefined> {
  const { rows } = await db.query<{ name: string }>(
    `select format('raw.%I', table_name) as name from information_schema.tables
     where table_schema = 'raw' and table_name = $1`,
    [name],
  );
  return rows[0]?.name;
}

export type Rates = {
  rates: { currency: string; day: string; units_per_euro: string; source: string }[];
  /** Amounts in the reporting currency, as the view shows them. */
  reporting: Record<string, string | null>;
};

/** The published rates behind the rate that a figure keeps, and what the view makes of it. */
export async function ratesOf(
  db: Reader,
  rollup: Rollup,
  brandId: string,
  { key, row }: Cell,
): Promise<Rates | null> {
  if (!rollup.keepsRates || !row?.fx_day || row.reporting_currency === key.currency) return null;
  const { rows: rates } = await db.query<Rates['rates'][number]>(
    `select currency, day, trim_scale(units_per_euro)::text as units_per_euro, source from app.fx_rates
     where currency = any ($1) and day = $2 order by currency`,
    [[key.currency, row.reporting_currency], row.fx_day],
  );
  const { rows } = await db.query<{ column: string; value: string | null }>(
    `select e.key as column, e.value from bi.${rollup.name} v cross join lateral jsonb_each_text(to_jsonb(v)) e
     where v.brand_id = $1 and v.day = $2
       and ${keyOf(rollup)
         .map((column) => `v.${column}::text = $3::jsonb ->> '${column}'`)
         .join(' and ')}
       and e.key like '%\\_reporting' order by 1`,
    [brandId, key.day, JSON.stringify(key)],
  );
  return { rates, reporting: Object.fromEntries(rows.map(({ column, value }) => [column, value])) };
}

export type Restated = {
  column: string;
  old_value: string | null;
  new_value: string | null;
  cause: string;
  restated_at: Date;
  cells: number;
};

const RESTATED_MAX = 10;

/** The newest changes of the figure since its day was final. */
export async function restatementsOf(
  db: Reader,
  rollup: Rollup,
  { brandId, retailerId }: { brandId: string; retailerId: string | null },
  key: Cell['key'],
): Promise<Restated[]> {
  if (key.day === undefined) return [];
  const { day, retailer_id: _, ...rest } = key;
  const { rows } = await db.query<Restated>(
    `select column_name as column, trim_scale(old_value)::text as old_value, trim_scale(new_value)::text as new_value,
            cause, restated_at, cells::int as cells
     from ops.restatements
     where brand_id = $1 and day <= $3 and last_day >= $3 and rollup = $2 and retailer_id is not distinct from $4
       and (key is null or key <@ $5)
     order by id desc limit ${RESTATED_MAX}`,
    [brandId, rollup.name, day, retailerId, JSON.stringify(rest)],
  );
  return rows;
}

export type ClosedRow = {
  /** First day of the month. */
  period: string;
  closed_at: Date;
  /** The columns of then, as text; null if there was no such row. */
  figures: Record<string, string | null> | null;
};

/** What the figure was when its month was closed; null if it is not. */
export async function closedRowOf(
  db: Reader,
  rollup: Rollup,
  { brandId, retailerId }: { brandId: string; retailerId: string | null },
  { day, retailer_id: _, ...rest }: Cell['key'],
): Promise<ClosedRow | null> {
  if (day === undefined || !isRestated(rollup)) return null;
  const { rows } = await db.query<ClosedRow>(
    `select c.period::text, c.closed_at,
            (select jsonb_object_agg(v.key, v.value) from jsonb_each_text(f.figures) v) as figures
     from ops.period_closings c
     left join ops.closed_figures f on f.brand_id = $1 and f.closing_id = c.id and f.rollup = $2 and f.day = $3
      and f.retailer_id is not distinct from $4 and f.key = $5
     where c.brand_id = $1 and c.reopened_at is null and c.period = date_trunc('month', $3::date::timestamp)::date`,
    [brandId, rollup.name, day, retailerId, JSON.stringify(rest)],
  );
  return rows[0] ?? null;
}
