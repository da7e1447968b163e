/** `snapshots show` */
import type { Command } from 'commander';
import { findSnapshot, partsOf, type StoredPart } from '#sql/snapshots/catalogue.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { count, grouped } from '../ui/format.ts';
import { cellOf } from '../ui/output.ts';
import { planById, rowOf } from './list.ts';

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show a snapshot, and what it has of each table')
    .argument('<id>', 'id of the snapshot, or the beginning of it')
    .action((id: string) => show(cli, id));
}

async function show(cli: Cli, id: string): Promise<void> {
  await using session = await openSession(cli);
  const snapshot = await findSnapshot(session.db, id);
  const tables = tablesOf(await partsOf(session.db, snapshot));
  const row = rowOf(snapshot, await planById(session.db, snapshot.brandId));
  cli.out.record({ ...row, tables }, () => [
    ...Object.entries(row).flatMap(([name, value]) =>
      value === null ? [] : [`${name.replaceAll('_', ' ').padEnd(LABEL_WIDTH)} ${shown(value)}`],
    ),
    '',
    ...tables.map(
      ({ table, rows, parts, stored_bytes }) =>
        `  ${table.padEnd(TABLE_WIDTH)} ${count(rows, 'row')} in ${count(parts, 'file')}, ${count(stored_bytes, 'byte')}`,
    ),
  ]);
}

function shown(value: unknown): string {
  return typeof value === 'number' ? grouped(value) : cellOf(value);
}

const LABEL_WIDTH = 16;
const TABLE_WIDTH = 36;

function tablesOf(parts: readonly StoredPart[]) {
  return [...Map.groupBy(parts, ({ table }) => table)].map(([table, some]) => ({
    table,
    parts: some.length,
    rows: some.reduce((sum, { rows }) => sum + rows, 0),
    bytes: some.reduce((sum, { bytes }) => sum + bytes, 0),
    stored_bytes: some.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  }));
}
