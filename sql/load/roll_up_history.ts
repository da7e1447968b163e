/**
 * History that is older than its table keeps it is rolled up by months: of rows before the month in which that day lies, the
 * last one of each object stays. So nothing that holds from then on changes, and sums of differences stay what was read.
 */
import { followIndexes } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Batch } from '../queue/retention.ts';
import { keepConnection, lockConnection } from './load_lock.ts';
import type { ConnectionKey } from './stream_key.ts';
import type { Table } from './table.ts';

const ROWS_MAX = 5_000;

export type RolledUp = Table & Required<Pick<Table, 'rolledUp'>>;

export function isRolledUp(table: Table): table is RolledUp {
  return table.rolledUp !== undefined;
}

/** Before the instant `now`, but never ahead of the clock of the database. The brand is `$1`, the rule `$2`. */
function end(now: string): string {
  return `(select date_trunc('month', least(${now}::timestamptz, now()) - make_interval(days => k.kept), 'UTC')
           from ops.retention k where k.brand_id = $1 and k.rule = $2)`;
}

function fromColumn({ key }: RolledUp): string {
  const column = key.at(-1);
  if (column === undefined) throw new TypeError('a table of history has a key');
  return column;
}

export async function connectionsWithOldHistory(
  db: Reader,
  table: RolledUp,
  { brandId, now }: { brandId: string; now: Date },
): Promise<ConnectionKey[]> {
  const { rows } = await db.query<ConnectionKey>(
    `select c.brand_id as "brandId", c.id as "connectionId" from app.connections c
     where c.brand_id = $1 and c.removing_at is null and exists (
       select from ${table.name} r
       where r.brand_id = $1 and r.connection_id = c.id and r.${fromColumn(table)} < ${end('$3')})
     order by 2`,
    [brandId, table.rolledUp.rule, now],
  );
  return rows;
}

/** A batch of rows that a later old one follows, and marks of their objects. */
export async function rollUpHistory(
  tx: Tx,
  table: RolledUp,
  { brandId, connectionId }: ConnectionKey,
  now: Date,
): Promise<Batch & { retailerId: string | null }> {
  await keepConnection(tx, { brandId, connectionId });
  const { owners } = await lockConnection(tx, { brandId, connectionId });
  const [retailerId = null] = owners;
  await followIndexes(tx);
  const from = fromColumn(table);
  const { rows } = await tx.query<{ deleted: number }>(
    `with old as (
       select r.id, r.${from} from ${table.name} r
       where r.brand_id = $1 and r.connection_id = $3 and r.${from} < ${end('$5')} and exists (
         select from ${table.name} n
         where n.brand_id = $1 and n.connection_id = $3 and n.id = r.id and n.${from} > r.${from}
           and n.${from} < ${end('$5')})
       order by r.${from} limit ${ROWS_MAX}
     ), deleted as (
       delete from ${table.name} r using old
       where r.brand_id = $1 and r.connection_id = $3 and r.id = old.id and r.${from} = old.${from}
       returning r.id
     ), marked as (
       insert into ops.marks (brand_id, retailer_id, subject, object, marked_at)
       select distinct $1::uuid, $4::uuid, $6, $3::uuid || ' ' || id, now() from deleted where $4::uuid is not null
     )
     select count(*)::int as deleted from deleted`,
    [brandId, table.rolledUp.rule, connectionId, retailerId, now, table.rolledUp.marks],
  );
  const { deleted = 0 } = rows[0] ?? {};
  return { deleted, isLast: deleted < ROWS_MAX, after: 0, retailerId };
}
