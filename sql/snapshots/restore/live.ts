/** What a restore into the live tables needs to know, to hold and to mark. */
import type { Tx } from '../../db/pool.ts';
import type { Reader } from '../../db/reader.ts';
import { lockFigures, markAllDays, type Owner } from '../../dirty/marks.ts';
import { markEvents } from '../../events/marks.ts';
import type { Table } from '../../load/table.ts';
import { type Scratch, scratchName } from '../scratch.ts';

export type HeldBrand = { slug: string; timeZone: string; isGoing: boolean; running: string[] };

/**
 * Until the transaction ends no load of the brand commits, and no rollup: loads hold the row of the brand, which is locked for
 * update here, and rollups share the lock of figures, which comes first, as in a rollup. A job that has read its position
 * before would still write a later one: none may be running.
 */
export async function holdBrand(tx: Tx, brandId: string): Promise<HeldBrand | undefined> {
  await lockFigures(tx, brandId);
  const { rows } = await tx.query<Omit<HeldBrand, 'running'>>(
    `select slug, time_zone as "timeZone", removing_at is not null as "isGoing" from app.brands where id = $1 for update`,
    [brandId],
  );
  return rows[0] && { ...rows[0], running: await runningJobs(tx, brandId) };
}

/** The tasks of jobs that run. */
export async function runningJobs(tx: Reader, brandId: string): Promise<string[]> {
  const { rows } = await tx.query<{ task: string }>(
    "select distinct task from ops.jobs where brand_id = $1 and state = 'running' order by task limit 10",
    [brandId],
  );
  return rows.map(({ task }) => task);
}

export const OWNERS = ['app.connections', 'app.retailers'];

/** Connections and retailers that have gone since: rows of theirs would be nobody's. `some`: which of `OWNERS` differ. */
export async function goneOwners(tx: Tx, scratch: Scratch, some: readonly string[]): Promise<string[]> {
  const selects = some.map(
    (table) => `
    select '${table === 'app.retailers' ? 'retailer' : 'connection'} ' || s.${table === 'app.retailers' ? 'slug' : 'name'} as gone
    from ${scratchName(scratch, table)} s
    where not exists (select from ${table} o where o.brand_id = s.brand_id and o.id = s.id and o.removing_at is null)`,
  );
  if (selects.length === 0) return [];
  const { rows } = await tx.query<{ gone: string }>(`${selects.join(' union all ')} order by 1 limit 10`);
  return rows.map(({ gone }) => gone);
}

export const MARKS = 'ops.marks';

/** What was to be computed at the instant of the snapshot is again, beside what is now. */
export async function addMarksOf(tx: Tx, scratch: Scratch): Promise<void> {
  await tx.query(`
    insert into ${MARKS} (brand_id, retailer_id, subject, day, object, cause, marked_at)
    select s.brand_id, s.retailer_id, s.subject, s.day, s.object, s.cause, s.marked_at
    from ${scratchName(scratch, MARKS)} s
    where s.retailer_id is null
       or exists (select from app.retailers r where r.brand_id = s.brand_id and r.id = s.retailer_id)`);
}

export type Marking = {
  brandId: string;
  timeZone: string;
  connections: readonly string[];
  hasEvents: boolean;
  tables: readonly Table[];
  now: Date;
};

/** All that rows of these connections touch: once before they are replaced, once afterwards. */
export async function markConnections(tx: Tx, marking: Marking): Promise<void> {
  const { brandId, timeZone, connections, hasEvents, tables, now } = marking;
  for (const connectionId of connections)
    await markAllDays(tx, {
      ...{ brandId, connectionId, timeZones: [timeZone], tables, cause: 'changed_definition', now },
    });
  if (hasEvents) await markEvents(tx, brandId, [timeZone]);
}

/** Whose figures are to be computed, the brand first. */
export async function markedOwners(tx: Tx, brandId: string): Promise<Owner[]> {
  const { rows } = await tx.query<{ owner: Owner }>(
    `select distinct retailer_id as owner from ${MARKS} where brand_id = $1 order by 1 nulls first`,
    [brandId],
  );
  return rows.map(({ owner }) => owner);
}
