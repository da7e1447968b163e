/** All rows of a person, a stretch of a table at a time: what an export writes, and what an erasure would change. */
import type { Reader } from '#sql/db/reader.ts';
import { findTexts } from '#sql/privacy/find_texts.ts';
import { isOfPerson, mayHold, objectKey, type PersonHere } from '#sql/privacy/person_tables.ts';
import { readFound, searchNext } from '#sql/privacy/search.ts';
import type { TextTable } from '#sql/privacy/text_tables.ts';
import { type Stretch, walkOn } from '#sql/privacy/walk.ts';
import { hereOf, type Known, type Place } from './person_here.ts';

export type PersonRows = { table: string; connectionId: string | null; rows: Record<string, unknown>[] };

export type Reading = { known: Known; places: readonly Place[]; textTables: readonly TextTable[] };

const OURS: ReadonlySet<string> = new Set(['brand_id', 'connection_id', 'digest']);

export async function* rowsOfPerson(
  db: Reader,
  { known, places, textTables }: Reading,
): AsyncGenerator<PersonRows> {
  for (const place of places) yield* rowsInRaw(db, known, place);
  if (known.forms.length === 0) return;
  for (const table of textTables) {
    if (table.schema === 'raw') continue; // those above
    for (let after: readonly string[] | null = null, isFirst = true; isFirst || after; isFirst = false) {
      const { hits, next } = await searchNext(db, known, table, after);
      if (hits.length > 0) {
        const rows = await readFound(db, known, table, hits);
        yield { table: table.name, connectionId: null, rows };
      }
      after = next;
    }
  }
}

async function* rowsInRaw(
  db: Reader,
  known: Known,
  { connectionId, tables }: Place,
): AsyncGenerator<PersonRows> {
  const person = await withTexts(db, known, { connectionId, tables });
  for (const { table } of tables.values()) {
    if (!mayHold(tables, table.name, person)) continue;
    for (let after: readonly string[] | null = null, isFirst = true; isFirst || after; isFirst = false) {
      const stretch: Stretch<Record<string, unknown>> = await walkOn(
        db,
        {
          ...{ brandId: known.brandId, connectionId, table, wanted: 'to_jsonb(o)' },
          condition: isOfPerson(tables, table.name),
          values: [person.customers, person.emails, person.objects],
        },
        after,
      );
      if (stretch.rows.length > 0) {
        const rows = stretch.rows.map((row) =>
          Object.fromEntries(Object.entries(row).filter(([column]) => !OURS.has(column))),
        );
        yield { table: table.name, connectionId, rows };
      }
      after = stretch.next;
    }
  }
}

/** With the objects that name the person in a text. */
async function withTexts(db: Reader, known: Known, { connectionId, tables }: Place): Promise<PersonHere> {
  const objects = new Set<string>();
  const { brandId, forms } = known;
  const person = hereOf(known, connectionId);
  for (const { table, root } of forms.length === 0 ? [] : tables.values()) {
    for (let after: readonly string[] | null = null, isFirst = true; isFirst || after; isFirst = false) {
      const stretch: Stretch<string> = await findTexts(
        db,
        { brandId, connectionId, tables, table, forms, person },
        after,
      );
      for (const id of stretch.rows) objects.add(objectKey(root.name, id));
      after = stretch.next;
    }
  }
  return hereOf(known, connectionId, [...objects]);
}
