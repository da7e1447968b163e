/**
 * What people have changed since a snapshot that decides whose figures rows belong to, and what these say. A restore leaves it as it
 * is, so figures of then are right again only once they are computed for the owners, the zone and the currency of now.
 */
import { markLinks } from '../../campaigns/mark_links.ts';
import type { Tx } from '../../db/pool.ts';
import { markAllDays } from '../../dirty/marks.ts';
import { noticeRatesOfBrand } from '../../fx/days.ts';
import type { Table } from '../../load/table.ts';
import { moveFinalDays, tellNextOwner } from '../../restatements/final_days.ts';
import { markBrand } from '../../tenants/brands.ts';
import { differingName } from '../differences.ts';
import { type Scratch, scratchName } from '../scratch.ts';
import type { SnapshotTable } from '../tables.ts';

const BRANDS = 'app.brands';
const CONNECTIONS = 'app.connections';
const PARTS = 'app.connection_parts';
/** The tables that say it. */
export const DEFINING = [BRANDS, CONNECTIONS, PARTS];

type Moved = {
  id: string;
  name: string;
  /** Who had the data then, or parts of it. */
  retailers: string[];
  /** Who has all of it now. */
  to: string | null;
};

export type Redefined = {
  connections: Moved[];
  /** Of then. */
  timeZone?: string | undefined;
  reportingCurrency?: string | undefined;
  /** Whether orders were credited within another time. */
  isOtherWindow?: boolean;
};

/** `differing`: the tables that differ, with their rows of then in the scratch schema. */
export async function readRedefined(
  tx: Tx,
  scratch: Scratch,
  { brandId, differing }: { brandId: string; differing: readonly SnapshotTable[] },
): Promise<Redefined> {
  const connections = await movedConnections(tx, scratch, { brandId, differing });
  if (!differing.some(({ name }) => name === BRANDS)) return { connections };
  const { rows } = await tx.query<Omit<Redefined, 'connections'>>(
    `select nullif(s.time_zone, b.time_zone) as "timeZone",
            nullif(s.reporting_currency, b.reporting_currency) as "reportingCurrency",
            s.attribution_hours <> b.attribution_hours as "isOtherWindow"
     from ${scratchName(scratch, BRANDS)} s join ${BRANDS} b on b.id = s.id where b.id = $1`,
    [brandId],
  );
  const { timeZone, reportingCurrency, isOtherWindow = false } = rows[0] ?? {};
  return {
    ...{ connections, isOtherWindow, timeZone: timeZone ?? undefined },
    reportingCurrency: reportingCurrency ?? undefined,
  };
}

async function movedConnections(
  tx: Tx,
  scratch: Scratch,
  { brandId, differing }: { brandId: string; differing: readonly SnapshotTable[] },
): Promise<Moved[]> {
  const selects = differing.flatMap((table) => {
    const then = scratchName(scratch, table.name);
    if (table.name === CONNECTIONS)
      return [
        `select c.id, s.retailer_id from ${then} s join ${CONNECTIONS} c on c.brand_id = s.brand_id and c.id = s.id
         where s.retailer_id is distinct from c.retailer_id`,
      ];
    if (table.name !== PARTS) return [];
    return [
      `select d.connection_id, s.retailer_id from ${differingName(scratch, table)} d
       left join ${then} s on s.brand_id = d.brand_id and s.connection_id = d.connection_id and s.part = d.part`,
    ];
  });
  if (selects.length === 0) return [];
  const { rows } = await tx.query<Moved>(
    `select c.id, c.name, c.retailer_id as to,
            coalesce(array_agg(distinct m.retailer_id) filter (where m.retailer_id is not null), '{}') as retailers
     from (${selects.join(' union all ')}) m (id, retailer_id)
     join ${CONNECTIONS} c on c.brand_id = $1 and c.id = m.id
     group by c.id, c.name, c.retailer_id order by c.name`,
    [brandId],
  );
  return rows;
}

export type Remarking = {
  brandId: string;
  /** Of now. */
  timeZone: string;
  tables: readonly Table[];
  now: Date;
  /** Whether what was told final is that of then, too. */
  isToldThen: boolean;
};

/** As the change itself has marked it: the days of each owner and zone, of then and of now. The rows are those of then. */
export async function markRedefined(
  tx: Tx,
  { connections, timeZone: zoneThen, reportingCurrency, isOtherWindow }: Redefined,
  { brandId, timeZone, tables, now, isToldThen }: Remarking,
): Promise<void> {
  const timeZones = zoneThen === undefined ? [timeZone] : [zoneThen, timeZone];
  for (const { id: connectionId, retailers: alsoRetailers, to } of connections) {
    if (isToldThen && to !== null)
      for (const from of alsoRetailers) await tellNextOwner(tx, brandId, from, to);
    await markAllDays(tx, {
      ...{ brandId, connectionId, alsoRetailers, timeZones, tables, cause: 'mapping', now },
    });
  }
  if (zoneThen !== undefined && isToldThen) await moveFinalDays(tx, brandId, timeZone);
  if (zoneThen !== undefined || reportingCurrency !== undefined)
    await markBrand(tx, brandId, { tables, now }, timeZones);
  if (isOtherWindow) await markLinks(tx, brandId, { cause: 'changed_definition' });
  // Rates that came since were compared with figures that are gone.
  await tx.query('update ops.fx_noticed set change_id = 0 where brand_id = $1', [brandId]);
  await noticeRatesOfBrand(tx, brandId);
}

/** For people. */
export function redefinedNames({
  connections,
  timeZone,
  reportingCurrency,
  isOtherWindow,
}: Redefined): string[] {
  return [
    ...connections.map(({ name }) => `the retailers of ${name}`),
    ...(timeZone === undefined ? [] : ['the time zone']),
    ...(reportingCurrency === undefined ? [] : ['the reporting currency']),
    ...(isOtherWindow ? ['the window of campaigns'] : []),
  ];
}
