/**
 * Removing a connection, a retailer or a brand, with everything that is its own. A connection first goes to
 * nobody, in one transaction: its days are marked, its jobs are gone, no load and no job begins any more, and
 * no figure counts it. Then its rows go in batches, which no figure depends on by then, and at last the
 * connection. Whoever is interrupted asks again and goes on; there is no way back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NightshiftError } from '#runtime/errors.ts';
import { recordAction } from './audit.ts';
import { ConnectionBeingRemoved, type Which } from './connections.ts';
import { lockRollup, markAllDays } from './dirty_days.ts';
import { ConnectionGone } from './load_place.ts';
import type { Db, Tx } from './pool.ts';
import { isOf, type Owner, type OwnerKind, tablesOf } from './removal_tables.ts';
import type { Table } from './table.ts';

const TRIES_MAX = 40;
const PAUSE_MS = 250;

export class RemovalDisturbed extends NightshiftError {
  readonly code = 'NS_REMOVAL_DISTURBED';

  constructor(kind: OwnerKind, name: string, by: string) {
    super(`The ${kind} ${name} cannot go yet: ${by}. What was removed so far stays removed.`, {
      hint: `Go on once that has ended: npx nightshift ${kind}s remove`,
      verdict: 'retry',
      context: { kind, name },
    });
  }
}

export type Removal = Which & {
  /** Tables whose days are to be computed again; none where the retailer goes too. */
  tables: readonly Table[];
  now: Date;
};

/**
 * Gives the connection to nobody, for good. Its jobs go first: a running one holds the row of its job, then
 * that of the connection, and whoever asked the other way round would wait for it in a circle.
 */
export async function beginRemoval(
  tx: Tx,
  { brandId, connectionId, tables, now, actor }: Removal,
): Promise<{ days: number; retailerIds: string[] }> {
  await removeJobs(tx, connectionId);
  const { rows } = await tx.query<{ name: string; from: string | null; begun: boolean; time_zone: string }>(
    `select c.name, c.retailer_id as from, c.removing_at is not null as begun, b.time_zone
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2 for update of c for key share of b`,
    [brandId, connectionId],
  );
  const [before] = rows;
  if (before === undefined) throw new ConnectionGone(brandId, connectionId);
  const { name, from, begun, time_zone } = before;
  if (begun) return { days: 0, retailerIds: [] };
  const { code, message } = new ConnectionBeingRemoved(name);
  await tx.query(
    `update app.connections set retailer_id = null, removing_at = $3, held_at = $3, held_code = $4, held_reason = $5
     where brand_id = $1 and id = $2`,
    [brandId, connectionId, now, code, message],
  );
  await recordAction(tx, {
    action: 'connections.remove_begin',
    brandId,
    target: name,
    details: { from },
    actor,
  });
  if (from === null) return { days: 0, retailerIds: [] };
  const target = { brandId, connectionId, alsoRetailers: [from], timeZones: [time_zone], tables, now };
  return { days: await markAllDays(tx, target), retailerIds: [from] };
}

/** The end, once its tables are empty. A job that somebody has asked for meanwhile goes too. */
export async function endRemoval(db: Db, owner: Owner, actor?: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await db.transaction((tx) => end(tx, owner, actor));
    } catch (error) {
      if (!(error instanceof RemovalDisturbed) || tries === TRIES_MAX) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function end(tx: Tx, owner: Owner, actor: string | undefined): Promise<void> {
  const { kind, brandId, id } = owner;
  await removeJobs(tx, id);
  const name = await lockOwner(tx, owner);
  if (name === undefined) return; // somebody else has ended it
  // Whoever enqueues holds the row of what the job is for: since that is locked, no job can come any more.
  const { rows } = await tx.query('select from ops.jobs_naming($1) limit 1', [id]);
  if (rows.length > 0) throw new RemovalDisturbed(kind, name, 'a job of it was queued at this moment');
  for (const table of await tablesOf(tx, kind))
    await tx.query(`delete from ${table} where ${isOf(owner)}`, [brandId, id]);
  const parts =
    kind === 'connection' ? [] : (await tx.query<{ name: string }>(PARTS[kind], [brandId, id])).rows;
  if (parts.length > 0) {
    const names = parts.map((part) => part.name).join(', ');
    throw new RemovalDisturbed(kind, name, `${names} was added to it meanwhile`);
  }
  await tx.query(`delete from app.${kind}s where ${KEYS[kind]}`, [brandId, id]);
  await recordAction(tx, { action: `${kind}s.remove`, brandId, target: name, details: { id }, actor });
}

const KEYS: Readonly<Record<OwnerKind, string>> = {
  connection: 'brand_id = $1 and id = $2',
  retailer: 'brand_id = $1 and id = $2',
  brand: 'id = $1 and id = $2',
};
const NAMES: Readonly<Record<OwnerKind, string>> = { connection: 'name', retailer: 'slug', brand: 'slug' };

/** What must have gone before. */
const PARTS = {
  retailer: 'select name from app.connections where brand_id = $1 and retailer_id = $2 order by name',
  brand: `
    select name from app.connections where brand_id = $1 and brand_id = $2
    union all select slug from app.retailers where brand_id = $1 order by 1`,
} as const;

/** In the order of everybody else: rollups, the brand, then what is below it. */
async function lockOwner(tx: Tx, { kind, brandId, id }: Owner): Promise<string | undefined> {
  if (kind === 'retailer') await lockRollup(tx, brandId, id);
  if (kind !== 'brand') await tx.query('select from app.brands where id = $1 for key share', [brandId]);
  const { rows } = await tx.query<{ name: string }>(
    `select ${NAMES[kind]} as name from app.${kind}s where ${KEYS[kind]} for update`,
    [brandId, id],
  );
  return rows[0]?.name;
}

async function removeJobs(tx: Tx, id: string): Promise<void> {
  await tx.query('select ops.remove_jobs($1)', [id]);
}
