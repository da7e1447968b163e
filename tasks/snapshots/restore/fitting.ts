/** What a snapshot has, as tables of this database: rows only go where the columns are those that they were read from. */
import { isDeepStrictEqual } from 'node:util';
import { coded } from '#runtime/errors.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { StoredPart } from '#sql/snapshots/catalogue.ts';
import { partColumns, type SnapshotTable, snapshotTables } from '#sql/snapshots/tables.ts';
import { type Manifest, namedColumns, partsOfManifest } from '../manifest.ts';

/** `columns`: what a row of its parts has, in that order. */
export type Held = { table: SnapshotTable; columns: string[]; parts: StoredPart[] };

export class OtherSchema extends coded('NS_SNAPSHOT_OTHER_SCHEMA') {
  constructor({ id, schema_version }: Manifest, why: string) {
    super(`Snapshot ${id} was made with the schema ${schema_version}, and ${why}.`, {
      hint: 'Restore it with the version of nightshift that made it, then migrate; or take a later snapshot.',
      context: { snapshot: id, schema_version },
    });
  }
}

/** All tables of the snapshot. One with equal columns fits, whatever the versions are. */
export async function fitting(tx: Tx, content: Manifest): Promise<Held[]> {
  const live = await snapshotTables(tx, content.scope);
  const byName = new Map(live.map((table) => [table.name, table]));
  const parts = Map.groupBy(partsOfManifest(content), ({ table }) => table);
  return content.tables.map(({ name, columns }) => {
    const table = byName.get(name);
    if (table === undefined) throw new OtherSchema(content, `there is no ${name} here`);
    const asHere = (some: SnapshotTable['columns']) => isDeepStrictEqual(namedColumns(some), columns);
    // Parts made before 2026-12-01 hold the brand of each row, too.
    if (!asHere(partColumns(table)) && !asHere(table.columns))
      throw new OtherSchema(content, `${name} has other columns here`);
    return { table, columns: columns.map(([column]) => column), parts: parts.get(name) ?? [] };
  });
}
