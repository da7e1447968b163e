/**
 * Removes a connection, a retailer or a brand, with everything that belongs to it. A retailer or brand is first
 * marked as being removed, for good: nothing can be added to it any more, so an interrupted removal can be repeated
 * and continues. Each connection is then detached from its owner, in one transaction: its days are marked, no load
 * and no job of it begins any more, and no figure counts it. Then its jobs are deleted, then its rows in batches, on
 * which no figure depends any more, and at last the connection.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { coded } from '#runtime/errors.ts';
import { releaseCampaigns } from '../campaigns/mark_spend.ts';
import type { Db, Tx } from '../db/pool.ts';
import { lockRollup, markAllDays } from '../dirty/marks.ts';
import { ConnectionGone, ownersOf } from '../load/load_lock.ts';
import type { Table } from '../load/table.ts';
import { bookUnbooked } from '../periods/book.ts';
import type { Lost } from '../periods/lost.ts';
import { rememberAccount } from '../privacy/erased_accounts.ts';
import { detachRequests } from '../privacy/requests.ts';
import { rollups } from '../rollups/index.ts';
import { recordAction } from './audit.ts';
import type { Marked } from './brands.ts';
import type { Which } from './connections.ts';
import { partsOf } from './removal_parts.ts';
import { isOf, type Owner, type OwnerKind, tablesOf } from './removal_tables.ts';
import { ConnectionBeingRemoved, removeCommand } from './removing.ts';

const TRIES_MAX = 40;
const PAUSE_MS = 250;

export class RemovalDisturbed extends coded('NS_REMOVAL_DISTURBED') {
  constructor(kind: OwnerKind, { name, brand }: Named, by: string) {
    super(`The ${kind} ${name} cannot be removed yet: ${by}. What was removed so far stays removed.`, {
      hint: `Continue once that has ended: ${removeCommand(kind, name, brand)}`,
      context: { kind, name, brand },
    });
  }
}

/** Marks a retailer or a brand as being removed, and deletes nothing yet. */
export async function announceRemoval(tx: Tx, owner: Owner, now: Date, actor?: string): Promise<void> {
  const { kind, brandId, id } = owner;
  const named = await lockOwner(tx, owner);
  if (named === undefined || named.removing) return; // ended, or announced before
  await tx.query(`update app.${kind}s set removing_at = $3 where ${KEYS[kind]}`, [brandId, id, now]);
  if (kind === 'retailer') await releaseCampaigns(tx, brandId, id);
  await recordAction(tx, {
    action: `${kind}s.remove_begin`,
    ...{ brandId, target: named.name, actor },
    ...{ before: { removing: false }, after: { removing: true } },
  });
}

export type Removal = Which & {
  /** Tables whose days must be recomputed. */
  tables: readonly Table[];
  now: Date;
};

/**
 * Detaches the connection from its owner, for good. Its days are marked unless its retailer is removed too. Its jobs
 * stay on the queue: a transaction that queues one holds the connection and waits for the row of the job, so holding
 * that row here while waiting for the connection could deadlock. None of them can store anything any more.
 */
export async function beginRemoval(
  tx: Tx,
  { brandId, connectionId, tables, now, actor }: Removal,
): Promise<Marked> {
  const { rows } = await tx.query<Before>(
    `select c.name, b.slug as brand, c.retailer_id as from, c.level, c.removing_at is not null as removing, b.time_zone,
            exists (select from app.retailers r where r.brand_id = c.brand_id and r.id = c.retailer_id
                    and r.removing_at is not null) as retailer_goes
     from app.connections c join app.brands b on b.id = c.brand_id
     where c.brand_id = $1 and c.id = $2 for update of c for key share of b`,
    [brandId, connectionId],
  );
  const [before] = rows;
  if (before === undefined) throw new ConnectionGone(brandId, connectionId);
  const { name, brand, from, level, removing, time_zone, retailer_goes } = before;
  if (removing) return { days: 0, retailerIds: [] };
  const { code, message } = new ConnectionBeingRemoved(name, brand);
  await tx.query(
    `update app.connections set retailer_id = null, removed_from = $6, removing_at = $3,
                                held_at = $3, held_code = $4, held_reason = $5
     where brand_id = $1 and id = $2`,
    [brandId, connectionId, now, code, message, from],
  );
  await detachRequests(tx, { brandId, connectionId, by: actor });
  await recordAction(tx, {
    action: 'connections.remove_begin',
    brandId,
    target: name,
    before: { retailerId: from },
    after: { retailerId: null },
    actor,
  });
  if ((from === null && level !== 'brand') || retailer_goes) return { days: 0, retailerIds: [] };
  const alsoRetailers = from === null ? [] : [from];
  const owners = level === 'brand' ? await ownersOf(tx, { brandId, connectionId }) : alsoRetailers;
  const target = { brandId, connectionId, alsoRetailers, timeZones: [time_zone], tables, now };
  return { days: await markAllDays(tx, { ...target, cause: 'mapping' }), retailerIds: owners };
}

type Named = { name: string; brand: string };
type Before = Named & {
  from: string | null;
  level: 'retailer' | 'brand';
  removing: boolean;
  time_zone: string;
  retailer_goes: boolean;
};

/** Removes its jobs from the queue, in a transaction of their own, which waits for the commit of a running one. */
export async function removeJobs(db: Pick<Db, 'transaction'>, { id }: Owner): Promise<void> {
  await db.transaction((tx) => tx.query('select ops.remove_jobs($1)', [id]));
}

/**
 * Deletes the row itself, once its tables are empty, with any job that was queued meanwhile. Returns of whom it could not
 * book what it changed of closed months.
 */
export async function endRemoval(db: Pick<Db, 'transaction'>, owner: Owner, actor?: string): Promise<Lost[]> {
  for (let tries = 1; ; tries++) {
    await removeJobs(db, owner);
    try {
      return await db.transaction((tx) => end(tx, owner, actor));
    } catch (error) {
      if (!(error instanceof RemovalDisturbed) || tries === TRIES_MAX) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function end(tx: Tx, owner: Owner, actor: string | undefined): Promise<Lost[]> {
  const { kind, brandId, id } = owner;
  if (kind !== 'brand') await lockRollup(tx, brandId, null); // adjustments of closed figures are booked under it
  if (kind === 'retailer') await lockRollup(tx, brandId, id);
  const named = await lockOwner(tx, owner);
  if (named === undefined) return []; // another process has finished the removal
  // Whoever queues a job holds the row of its owner, which is locked here, so no new job can come.
  const { rows } = await tx.query('select from ops.jobs_naming($1) limit 1', [id]);
  if (rows.length > 0) throw new RemovalDisturbed(kind, named, 'a job of it was queued at this moment');
  for (const table of await tablesOf(tx, kind))
    await tx.query(`delete from ${table} where ${isOf(owner)}`, [brandId, id]);
  // No merge that comes later can book or log a change of theirs, so these rows go with what was frozen of them.
  if (kind === 'retailer')
    for (const { writes, grain } of rollups)
      if (grain.includes('owner_id'))
        await tx.query(`delete from ${writes} where brand_id = $1 and owner_id = $2`, [brandId, id]);
  const booking = { brandId, now: new Date(), cause: 'mapping', rollups: ofBrand } as const;
  const lost = kind === 'brand' ? [] : await bookUnbooked(tx, booking);
  if (kind === 'connection') await rememberAccount(tx, { brandId, connectionId: id });
  const parts = await partsOf(tx, owner);
  if (parts.length > 0) {
    const names = parts.map((part) => part.name).join(', ');
    throw new RemovalDisturbed(kind, named, `it still has ${names}`);
  }
  await tx.query(`delete from app.${kind}s where ${KEYS[kind]}`, [brandId, id]);
  await recordAction(tx, { action: `${kind}s.remove`, brandId, target: named.name, before: { id }, actor });
  return lost;
}

/** Rows of theirs were deleted by their connection or retailer; those of a retailer go by their merge, or with all of it. */
const ofBrand = rollups.filter(({ of }) => of === 'brand');

const KEYS: Readonly<Record<OwnerKind, string>> = {
  connection: 'brand_id = $1 and id = $2',
  retailer: 'brand_id = $1 and id = $2',
  brand: 'id = $1 and id = $2',
};
const NAMES: Readonly<Record<OwnerKind, string>> = { connection: 'name', retailer: 'slug', brand: 'slug' };

/** Locks in the usual order: the brand, then what is below it. */
async function lockOwner(tx: Tx, { kind, brandId, id }: Owner) {
  const strength = kind === 'brand' ? 'update' : 'key share';
  const brands = await tx.query<{ slug: string }>(
    `select slug from app.brands where id = $1 for ${strength}`,
    [brandId],
  );
  const { rows } = await tx.query<{ name: string; removing: boolean }>(
    `select ${NAMES[kind]} as name, removing_at is not null as removing
     from app.${kind}s where ${KEYS[kind]} for update`,
    [brandId, id],
  );
  const [row] = rows;
  return row && { ...row, brand: brands.rows[0]?.slug ?? '' };
}
