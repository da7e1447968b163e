/** Makes live rows what a snapshot has, by what is in scratch tables. Only rows that differ are touched. */
import type { Tx } from '../db/pool.ts';
import { EVENT_IDS, EVENTS } from '../events/marks.ts';
import { type Compared, textOf } from './differences.ts';
import { isOf } from './parts.ts';
import { scratchName } from './scratch.ts';
import type { SnapshotTable } from './tables.ts';

export type Replaced = { deleted: number; inserted: number };

/** A load that committed after the instant of the snapshot began at most so long before it, as a rule. */
const KEPT_BEFORE = '1 minute';

/** `keepsFrom`: rows that the snapshot lacks stay, if they were first seen since then. */
export async function replaceRows(
  tx: Tx,
  compared: Compared,
  keepsFrom: Date | undefined,
): Promise<Replaced> {
  const { scratch, table, brandId, only } = compared;
  const source = scratchName(scratch, table.name);
  const columns = table.columns.map(({ name }) => name);
  await setLoops(tx, 'off');
  const { rowCount: deleted } = await tx.query(
    `delete from ${table.name} l
     where ${isOf(table, brandId)} and ${only}
       and not exists (select from ${source} s where ${sameKey(table)} and ${textOf(table, 's')} = ${textOf(table, 'l')})
       ${keepsFrom === undefined ? '' : kept(table, source)}`,
    keepsFrom === undefined || table.name === EVENT_IDS ? [] : [keepsFrom],
  );
  if (table.name === EVENTS)
    await tx.query(`select ops.make_event_months(array(select distinct happened_at::date from ${source}))`);
  const { rowCount: inserted } = await tx.query(
    `insert into ${table.name} (${columns.join(', ')}) overriding system value
     select ${columns.join(', ')} from ${source} s
     where not exists (select from ${table.name} l where l.brand_id = s.brand_id and ${sameKey(table)})`,
  );
  await setLoops(tx, 'on');
  return { deleted: deleted ?? 0, inserted: inserted ?? 0 };
}

/**
 * Without them rows are matched by hashes of the whole key. Scratch tables have no statistics: a nested loop, or a merge by the
 * brand alone, would be planned for a handful of rows and compare each row with each.
 */
async function setLoops(tx: Tx, to: 'on' | 'off'): Promise<void> {
  await tx.query("select set_config('enable_nestloop', $1, true), set_config('enable_mergejoin', $1, true)", [
    to,
  ]);
}

/** An id of an event stays as long as the event does, which comes first. */
function kept(table: SnapshotTable, source: string): string {
  if (table.name === EVENT_IDS)
    return `and not exists (select from ${EVENTS} e where e.brand_id = l.brand_id and e.happened_at = l.happened_at and e.id = l.id)`;
  return `and (l.seen_at < $1::timestamptz - interval '${KEPT_BEFORE}'
           or exists (select from ${source} s where ${sameKey(table)}))`;
}

/** Without a key the whole row is one. */
function sameKey(table: SnapshotTable): string {
  if (table.key.length === 0) return `${textOf(table, 's')} = ${textOf(table, 'l')}`;
  return table.key.map(({ name }) => `s.${name} = l.${name}`).join(' and ');
}
