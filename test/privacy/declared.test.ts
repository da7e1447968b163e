/** Every table of every provider says what in it names persons; and what it says fits its columns. */
import { expect, test } from 'vitest';
import { providers } from '#connectors/providers.ts';
import { redactionOf } from '#sql/load/redact/row.ts';
import type { Table } from '#sql/load/table.ts';
import { freshDb } from '../support/db/db.ts';

const tables = new Map(
  providers.flatMap(({ streams }) =>
    streams.flatMap((stream) => stream.tables.map((table) => [table.name, table])),
  ),
) as Map<string, Table>;

test('every raw table is declared, as one that names persons or as one that names none', async () => {
  await using db = await freshDb();
  const stored = await db.column(
    `select 'raw.' || relname from pg_class where relkind in ('r', 'p') and relnamespace = 'raw'::regnamespace
       and relname not in ('events', 'event_ids', 'past_exposures') -- of no provider: they are swept like texts
     order by 1`,
  );
  expect([...tables.keys()].sort()).toEqual(stored);
});

test('what is declared can be read, redacted and put back', async () => {
  await using db = await freshDb();
  for (const table of tables.values()) {
    const { personal, columns, name } = table;
    if (!personal) continue;
    const { of = [], through, within = [], empties = [] } = personal;
    for (const column of [
      ...of.map(({ column }) => column),
      through?.column,
      ...within,
      ...empties,
      'payload',
    ])
      if (column !== undefined) expect(Object.keys(columns), name).toContain(column);
    for (const parent of through?.tables ?? []) expect(tables.get(parent)?.personal, name).toBeTruthy();
    expect(redactionOf(table).columns, name).toContain('payload');
    const mandatory = await db.column(
      `select attname::text from pg_attribute where attrelid = $1::regclass and attnotnull and attname = any ($2)`,
      [name, [...empties, 'payload']],
    );
    expect(mandatory, name).toEqual([]);
  }
});
