/** Which snapshots stay, until when and why: `ops.snapshot_keeps` decides. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import type { Snapshot } from './catalogue.ts';
import type { Scope } from './tables.ts';

export type Planned = {
  brandId: string;
  id: string;
  brand: string;
  scope: Scope;
  store: string;
  createdAt: Date;
  /** Null if it is kept without an end. */
  expiresAt: Date | null;
  expires: boolean;
  /** The rules that keep it at that instant, and of one that expires those that did. */
  rules: string[];
};

/** The latest first. An instant that is ahead of the clock of the database counts as now. */
export async function planSnapshots(
  db: Reader,
  { brandId, now }: { brandId?: string | undefined; now: Date },
): Promise<Planned[]> {
  const { rows } = await db.query<Planned>(
    `select s.brand_id as "brandId", s.id, s.brand_slug as brand, s.scope, s.store, s.created_at as "createdAt",
            nullif(coalesce(k.until, s.created_at), 'infinity') as "expiresAt", k.holding is null as expires,
            coalesce(k.holding, k.held, '{}') as rules
     from ops.snapshots s
     left join (
       select brand_id, snapshot_id, max(until) as until, array_agg(rule order by position) as held,
              array_agg(rule order by position) filter (where until > least($2::timestamptz, now())) as holding
       from ops.snapshot_keeps where $1::uuid is null or brand_id = $1 group by 1, 2
     ) k on k.brand_id = s.brand_id and k.snapshot_id = s.id
     where s.state <> 'creating' and ($1::uuid is null or s.brand_id = $1)
     order by s.created_at desc, s.id`,
    [brandId ?? null, now],
  );
  return rows;
}

/**
 * Takes those of these that nothing keeps out of the catalogue, and marks the files that only they needed. Who pins one
 * meanwhile waits, and then finds it gone; one that was pinned since it was planned stays.
 */
export async function expire(
  tx: Tx,
  { brandId, ids, now }: { brandId: string; ids: readonly string[]; now: Date },
): Promise<string[]> {
  await tx.query('select from ops.snapshots where brand_id = $1 and id = any ($2) order by id for update', [
    brandId,
    ids,
  ]);
  const planned = await planSnapshots(tx, { brandId, now });
  const expired = planned.filter(({ id, expires }) => expires && ids.includes(id)).map(({ id }) => id);
  const values = [brandId, expired];
  await tx.query(
    `insert into ops.snapshot_garbage (brand_id, file)
     select $1, 'manifests/' || id || '.json' from unnest($2::uuid[]) id on conflict do nothing`,
    values,
  );
  await tx.query(
    `with gone as (
       delete from ops.snapshot_parts where brand_id = $1 and snapshot_id = any ($2) returning name, key_id
     )
     insert into ops.snapshot_garbage (brand_id, file)
     select distinct $1::uuid, 'parts/' || g.name || '.' || g.key_id from gone g
     where not exists (
       select from ops.snapshot_parts p
       where p.brand_id = $1 and p.name = g.name and p.key_id = g.key_id and p.snapshot_id <> all ($2))
     on conflict do nothing`,
    values,
  );
  await tx.query('delete from ops.snapshots where brand_id = $1 and id = any ($2)', values);
  return expired;
}

type Pin = Pick<Snapshot, 'brandId' | 'id'> & { actor: string };

/** Whether it is there, and was not pinned. */
export async function pin(
  tx: Tx,
  { brandId, id, actor, reason }: Pin & { reason: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.snapshots set pinned_at = now(), pinned_by = $3, pinned_reason = $4
     where brand_id = $1 and id = $2 and pinned_at is null`,
    [brandId, id, actor, reason],
  );
  if (rowCount !== 1) return false;
  const values = { before: { pinned: null }, after: { pinned: { reason } } };
  await recordAction(tx, { action: 'snapshots.pin', brandId, target: id, ...values, actor });
  return true;
}

/** Whether it was pinned. */
export async function unpin(tx: Tx, { brandId, id, actor }: Pin): Promise<boolean> {
  const { rows } = await tx.query<{ reason: string | null }>(
    `update ops.snapshots n set pinned_at = null, pinned_by = null, pinned_reason = null
     from ops.snapshots o
     where n.brand_id = $1 and n.id = $2 and n.pinned_at is not null and o.brand_id = n.brand_id and o.id = n.id
     returning o.pinned_reason as reason`,
    [brandId, id],
  );
  const [found] = rows;
  if (found === undefined) return false;
  const values = { before: { pinned: found }, after: { pinned: null } };
  await recordAction(tx, { action: 'snapshots.unpin', brandId, target: id, ...values, actor });
  return true;
}

/** It stays for as long as the brand keeps what undoes a restore. */
export async function keepForUndo(tx: Tx, brandId: string, id: string): Promise<void> {
  await tx.query(
    `update ops.snapshots s
     set needed_until = greatest(s.needed_until, now() + make_interval(days => r.kept)), needed_for = 'undoes a restore'
     from ops.retention r
     where s.brand_id = $1 and s.id = $2 and r.brand_id = $1 and r.rule = 'snapshots_undo'`,
    [brandId, id],
  );
}
