/** Locks the owners of a load's rows until its transaction ends. */
import { coded } from '#runtime/errors.ts';
import { FOLLOW_INDEXES } from '../db/planner.ts';
import type { Tx } from '../db/pool.ts';
import type { Owner } from '../dirty/marks.ts';
import type { Cause } from '../rollups/causes.ts';
import type { ConnectionKey } from './stream_key.ts';

export type LoadScope = {
  timeZone: string;
  /** The zone in which the account counts its days. */
  accountZone: string;
  /** The owners of its days: its retailer, or the brand and the retailers that have parts of it. */
  owners: readonly Owner[];
  /** Whether the brand has erased persons. */
  hasErased: boolean;
  /** Why figures change, if not for what rows say. */
  cause?: Cause | null;
};

/** The owners of the days of connection `c`, as SQL: the brand first. */
const OWNERS = `
  case when c.level = 'retailer' then array_remove(array[c.retailer_id], null)
       else array[null::uuid] || array(
         select distinct p.retailer_id from app.connection_parts p
         where p.brand_id = c.brand_id and p.connection_id = c.id order by 1) end`;

export async function ownersOf(tx: Tx, { brandId, connectionId }: ConnectionKey): Promise<Owner[]> {
  const { rows } = await tx.query<{ owners: Owner[] }>(
    `select ${OWNERS} as owners from app.connections c where c.brand_id = $1 and c.id = $2`,
    [brandId, connectionId],
  );
  return rows[0]?.owners ?? [];
}

export class ConnectionGone extends coded('NS_CONNECTION_GONE') {
  constructor(brandId: string, connectionId: string) {
    super(`Brand ${brandId} has no connection ${connectionId}, so its rows cannot be stored.`, {
      hint: 'List the connections: npx nightshift connections list',
      context: { brandId, connectionId },
    });
  }
}

/** Keeps the connection until the transaction ends: for what must not outlive it, such as a job. */
export async function keepConnection(tx: Tx, { brandId, connectionId }: ConnectionKey): Promise<void> {
  const { rows } = await tx.query(
    'select from app.connections where brand_id = $1 and id = $2 and removing_at is null for key share',
    [brandId, connectionId],
  );
  if (rows.length === 0) throw new ConnectionGone(brandId, connectionId);
}

/**
 * `for key share` excludes only a change of zone, reporting currency or retailer, a removal and the erasure of a person,
 * which take `for update`: they come completely before this load or completely after it, and mark what it wrote.
 *
 * Loads of one connection are serialised, so rows do not change between comparison and write.
 *
 * The settings last until the transaction ends. Staging tables differ in size from page to page, so a
 * plan made for one is wrong for the next; compiling a plan that runs for milliseconds costs more than
 * it saves; and `planner.ts` says why nothing is sorted that an index has in order.
 */
export async function lockConnection(tx: Tx, key: ConnectionKey): Promise<LoadScope> {
  const { rows } = await tx.query<{
    time_zone: string;
    account_zone: string;
    level: string;
    retailer_id: Owner;
    has_erased: boolean;
  }>({
    name: 'hold place of load',
    text: `
      select b.time_zone, coalesce(c.account_zone, b.time_zone) as account_zone, b.has_erased, c.level, c.retailer_id,
             pg_advisory_xact_lock(hashtextextended('load ' || c.id, 0)),
             set_config('plan_cache_mode', 'force_custom_plan', true),
             ${FOLLOW_INDEXES}, set_config('jit', 'off', true)
      from app.connections c
      join app.brands b on b.id = c.brand_id
      where c.brand_id = $1 and c.id = $2 and c.removing_at is null
      for key share of b, c`,
    values: [key.brandId, key.connectionId],
  });
  const [row] = rows;
  if (row === undefined) throw new ConnectionGone(key.brandId, key.connectionId);
  const own = row.retailer_id === null ? [] : [row.retailer_id];
  // Of a brand by a later statement: one that had to wait would not see the parts that it has waited for.
  const owners = row.level === 'retailer' ? own : await ownersOf(tx, key);
  const { time_zone: timeZone, account_zone: accountZone, has_erased: hasErased } = row;
  return { timeZone, accountZone, owners, hasErased };
}
