/** The data dictionary: what the views of `bi` say of themselves. */
import type { Db } from '#sql/db/pool.ts';

export type DictionaryEntry = {
  view: string;
  about: string | null;
  columns: { name: string; type: string; about: string | null }[];
};

export async function dictionaryEntries(db: Db): Promise<DictionaryEntry[]> {
  const { rows } = await db.query<DictionaryEntry>(`
    select v.relname as view, obj_description(v.oid, 'pg_class') as about,
      (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                                           'about', col_description(v.oid, a.attnum)) order by a.attnum)
       from pg_attribute a where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped) as columns
    from pg_class v where v.relnamespace = 'bi'::regnamespace and v.relkind in ('v', 'm', 'r') order by v.relname`);
  return rows;
}

const INTRODUCTION = `# Data dictionary

The views of schema \`bi\` are what BI reads: their names and columns stay. This page is made from the
comments in the database (\`npm run docs:dictionary\`), and a test holds the two together.

Amounts are exact decimals in major units of the currency beside them. A day is a day of the brand's
time zone. Sums over rows are meaningful for every amount and count except \`average_order_value\`,
\`margin\`, rates, customers (a customer may be in several rows), \`orders\` of \`daily_product_sales\`, and columns that
say NOT ADDITIVE.
`;

export function dictionaryText(entries: readonly DictionaryEntry[]): string {
  const chapters = entries.map(({ view, about, columns }) => {
    const rows = columns.map((column) => `| \`${column.name}\` | ${column.type} | ${column.about} |`);
    return [
      `## bi.${view}`,
      '',
      about,
      '',
      '| column | type | meaning |',
      '| --- | --- | --- |',
      ...rows,
      '',
    ].join('\n');
  });
  return [INTRODUCTION, ...chapters].join('\n');
}
