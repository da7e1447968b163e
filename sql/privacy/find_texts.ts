/** Objects that name a person in a text, such as the description of a payment: nothing else says whose they are. */
import type { Reader } from '../db/reader.ts';
import { IS_ERASED } from '../load/redact/row.ts';
import { rootColumnOf } from '../load/statements.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import type { Table } from '../load/table.ts';
import { type Form, patternOf } from './forms.ts';
import { isOfPerson, type PersonHere, type PersonTables } from './person_tables.ts';
import { type Place, type Stretch, walkOn } from './walk.ts';

const TEXTS: ReadonlySet<string> = new Set(['text', 'text[]', 'jsonb']);

export type Finding = ConnectionKey & {
  table: Table;
  tables: PersonTables;
  forms: readonly Form[];
  person: PersonHere;
};

/** The ids of the roots, of the next stretch of a table; without what is known to be of the person. */
export function findTexts(
  db: Reader,
  { table, tables, forms, person, ...key }: Finding,
  after: Place | null,
): Promise<Stretch<string>> {
  const texts = Object.entries(table.columns).flatMap(([column, type]) =>
    TEXTS.has(type) ? [`o.${column}::text`] : [],
  );
  return walkOn<string>(
    db,
    {
      ...key,
      table,
      condition: `not coalesce(o.payload ${IS_ERASED}, false) and not coalesce(${isOfPerson(tables, table.name)}, false) and exists (
        select from (select lower(concat_ws(E'\\n', ${texts.join(', ')})) as said) t
        cross join unnest($6::text[], $7::text[]) as f (text, pattern)
        where strpos(t.said, f.text) > 0 and t.said ~* f.pattern)`,
      values: [
        ...[person.customers, person.emails, person.objects],
        ...[forms.map(({ text }) => text.toLowerCase()), forms.map(patternOf)],
      ],
      wanted: `to_jsonb(o.${rootColumnOf(table)})`,
    },
    after,
  );
}
