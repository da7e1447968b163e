/** Searches every text that is stored of a brand for a person, some rows in a statement. */
import type { Reader } from '../db/reader.ts';
import { type Form, patternOf } from './forms.ts';
import type { TextTable } from './text_tables.ts';

/** Rows that one statement looks at. */
const SCANNED_MAX = 5_000;

export type Searching = { brandId: string; forms: readonly Form[] };

export type Searched = {
  scanned: number;
  /** The keys of the rows that have it, without the brand, as text. */
  hits: string[][];
  next: readonly string[] | null;
};

/** Without a key of more than the brand, all rows in one statement. */
export async function searchNext(
  db: Reader,
  { brandId, forms }: Searching,
  { name, key, texts }: TextTable,
  after: readonly string[] | null,
): Promise<Searched> {
  const list = key.map((column) => `o.${column.name}`);
  const from = key.map((column, index) => `($4::text[])[${index + 1}]::${column.type}`);
  const order = list.length === 0 ? '' : `order by ${list.join(', ')} limit ${SCANNED_MAX}`;
  const place = `array[${list.map((column) => `${column}::text`).join(', ')}]::text[]`;
  const { rows } = await db.query<{ scanned: number; last: string[] | null; hits: string[][] }>(
    `with scanned as materialized (
       select o.* from ${name} o
       where o.brand_id = $1 ${after && list.length > 0 ? `and (${list.join(', ')}) > (${from.join(', ')})` : ''} ${order}
     ), read as materialized (
       select ${place} as place, lower(concat_ws(E'\\n', ${texts.map(asText).join(', ')})) as said from scanned o
     )
     select (select count(*)::int from scanned) as scanned,
            ${list.length === 0 ? 'null' : `(select ${place} from scanned o order by ${list.map((column) => `${column} desc`).join(', ')} limit 1)`} as last,
            (select coalesce(jsonb_agg(place), '[]') from read
             where exists (select from unnest($2::text[], $3::text[]) as f (text, pattern)
                           where strpos(said, text) > 0 and said ~* pattern)) as hits`,
    [
      brandId,
      forms.map(({ text }) => text.toLowerCase()),
      forms.map(patternOf),
      ...(after && list.length > 0 ? [after] : []),
    ],
  );
  const { scanned = 0, last = null, hits = [] } = rows[0] ?? {};
  return { scanned, hits, next: scanned < SCANNED_MAX || list.length === 0 ? null : last };
}

function asText({ name, type }: { name: string; type: string }): string {
  return type === 'bytea' ? `encode(o.${name}, 'escape')` : `o.${name}::text`;
}

/** The rows of these keys: of rows of the platform only what names the person, because the rest may be of others. */
export async function readFound(
  db: Reader,
  { brandId, forms }: Searching,
  { schema, name, key, texts }: TextTable,
  hits: readonly string[][],
): Promise<Record<string, unknown>[]> {
  if (hits.length === 0 || key.length === 0) return [];
  const given = key.map((_, index) => `$${index + 5}::text[]`);
  const same = key.map((column, index) => `o.${column.name} = v.k${index}::${column.type}`);
  const patterns = `$${key.length + 5}`;
  const sealed = texts.flatMap((column) => (column.type === 'bytea' ? [column.name] : []));
  const { rows } = await db.query<{ row: Record<string, unknown> }>(
    `select (select jsonb_object_agg(e.key, e.value) from jsonb_each(to_jsonb(o) - $2::text[]) e
             where $3 or e.key = any ($4::text[])
               or exists (select from unnest(${patterns}::text[]) p where e.value::text ~* p)) as row
     from unnest(${given.join(', ')}) as v (${key.map((_, index) => `k${index}`).join(', ')})
     join ${name} o on o.brand_id = $1 and ${same.join(' and ')}`,
    [
      ...[brandId, ['brand_id', ...sealed], schema === 'agg', key.map((column) => column.name)],
      ...key.map((_, index) => hits.map((hit) => hit[index])),
      forms.map(patternOf),
    ],
  );
  return rows.map(({ row }) => row);
}
