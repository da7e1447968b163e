/** The data dictionary: what the views and functions of `bi` say of themselves. */
import type { Db } from '#sql/db/pool.ts';

export type DictionaryEntry = {
  view: string;
  about: string | null;
  columns: { name: string; type: string; about: string | null }[];
};

export type DictionaryFunction = { call: string; about: string | null; result: string };

export async function dictionaryEntries(db: Db): Promise<DictionaryEntry[]> {
  const { rows } = await db.query<DictionaryEntry>(`
    select v.relname as view, obj_description(v.oid, 'pg_class') as about,
      (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                                           'about', col_description(v.oid, a.attnum)) order by a.attnum)
       from pg_attribute a where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped) as columns
    from pg_class v where v.relnamespace = 'bi'::regnamespace and v.relkind in ('v', 'm', 'r') order by v.relname`);
  return rows;
}

/** A column of a function has no comment: it is called as in the view that the function's own comment names. */
export async function dictionaryFunctions(db: Db): Promise<DictionaryFunction[]> {
  const { rows } = await db.query<DictionaryFunction>(`
    select format('%s(%s)', f.proname, pg_get_function_identity_arguments(f.oid)) as call,
      obj_description(f.oid, 'pg_proc') as about, pg_get_function_result(f.oid) as result
    from pg_proc f where f.pronamespace = 'bi'::regnamespace order by f.proname`);
  return rows;
}

const INTRODUCTION = `# Data dictionary

The views and functions of schema \`bi\` are what BI reads: their names and columns stay. This page is made from the
comments in the database (\`npm run docs:dictionary\`), and a test holds the two together.

Amounts are exact decimals in major units of the currency beside them. A day is a day of the brand's
time zone. Sums over rows of one currency are meaningful for every amount and count except averages, rates and columns
that say NOT ADDITIVE: over what, if others can be summed up.
`;

export async function dictionaryText(db: Db): Promise<string> {
  const views = (await dictionaryEntries(db)).map(({ view, about, columns }) => {
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
  const functions = (await dictionaryFunctions(db)).map(({ call, about, result }) =>
    [`## bi.${call}`, '', about, '', `Returns \`${result}\`.`, ''].join('\n'),
  );
  return [INTRODUCTION, ...views, ...functions].join('\n');
}
