/** Makes live rows what a snapshot has, by what is in scratch tables. Only rows that differ are touched. */
import type { Tx } from '../../db/pool.ts';
import { EVENT_IDS, EVENTS } from '../../events/marks.ts';
import { type Compared, differingName, isNoted } from '../differences.ts';
import { isOf } from '../parts.ts';
import { scratchName } from '../scratch.ts';

export type Replaced = { deleted: number; inserted: number };

/** A load that committed after the instant of the snapshot began at most so long before it, as a rule. */
const KEPT_BEFORE = '1 minute';

/**
 * After `differenceOf`, which has noted the rows that differ. `keepsFrom`: rows that the snapshot lacks stay, if they were
 * first seen since then.
 */
export async function replaceRows(
  tx: Tx,
  { scratch, table, brandId }: Compared,
  keepsFrom: Date | undefined,
): Promise<Replaced> {
  const source = scratchName(scratch, table.name);
  const differing = differingName(scratch, table);
  const columns = table.columns.map(({ name }) => name).join(', ');
  const stays = table.name === EVENT_IDS ? OF_AN_EVENT : SEEN_SINCE;
  const given = keepsFrom === undefined || table.name === EVENT_IDS ? [] : [keepsFrom];
  await setLoops(tx, 'off');
  const { rowCount: deleted } = await tx.query(
    `delete from ${table.name} l using ${differing} d
     where ${isOf(table, brandId, 'l')} and ${isNoted(table, 'l')} ${keepsFrom === undefined ? '' : `and not ${stays}`}`,
    given,
  );
  if (table.name === EVENTS)
    await tx.query(`select ops.make_event_months(array(select distinct happened_at::date from ${source}))`);
  const { rowCount: inserted } = await tx.query(
    `insert into ${table.name} (${columns}) overriding system value
     select ${table.columns.map(({ name }) => `s.${name}`).join(', ')} from ${source} s join ${differing} d on ${isNoted(table, 's')}
     ${keepsFrom === undefined ? '' : `where not exists (select from ${table.name} l where ${isOf(table, brandId, 'l')} and ${isNoted(table, 'l')})`}`,
  );
  await setLoops(tx, 'on');
  return { deleted: deleted ?? 0, inserted: inserted ?? 0 };
}

const SEEN_SINCE = `(d.ones = 0 and l.seen_at >= $1::timestamptz - interval '${KEPT_BEFORE}')`;

/** An id of an event stays as long as the event does, which comes first. */
const OF_AN_EVENT = `exists (
  select from ${EVENTS} e where e.brand_id = l.brand_id and e.happened_at = l.happened_at and e.id = l.id)`;

/**
 * Without them rows are matched by hashes of the whole key: large tables without statistics could be taken for small ones, and
 * each row be compared with each.
 */
async function setLoops(tx: Tx, to: 'on' | 'off'): Promise<void> {
  await tx.query("select set_config('enable_nestloop', $1, true), set_config('enable_mergejoin', $1, true)", [
    to,
  ]);
}
