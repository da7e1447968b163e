/** Requests whose deadline is near, and alerts of such that are done after all. */
import type { Reader } from '../db/reader.ts';

/** So long before its deadline somebody hears of it. */
const NEAR_DAYS = 7;
const PROMISE = `'privacy request ' || p.id || ' is done by ' || (p.due_at at time zone 'UTC')::date`;

export type Due = {
  brandId: string;
  brand: string;
  id: number;
  kind: string;
  promise: string;
  dueAt: Date;
};

/** Of which nobody was told. */
export async function requestsDue(db: Reader, now: Date, max: number): Promise<Due[]> {
  const { rows } = await db.query<Due>(
    `select p.brand_id as "brandId", b.slug as brand, p.id, p.kind, p.due_at as "dueAt", ${PROMISE} as promise
     from ops.privacy_requests p join app.brands b on b.id = p.brand_id
     where p.done_at is null and p.due_at < $1::timestamptz + make_interval(days => ${NEAR_DAYS})
       and not exists (
         select from ops.alerts a
         where a.brand_id = p.brand_id and a.kind = 'privacy' and a.resolved_at is null and a.promise = ${PROMISE})
     order by p.due_at, p.id limit $2`,
    [now, max],
  );
  return rows;
}

/** Of which somebody was told, and which are done or gone. */
export async function requestsTold(db: Reader, max: number): Promise<{ brandId: string; promise: string }[]> {
  const { rows } = await db.query<{ brandId: string; promise: string }>(
    `select a.brand_id as "brandId", a.promise from ops.alerts a
     where a.kind = 'privacy' and a.resolved_at is null and not exists (
       select from ops.privacy_requests p
       where p.brand_id = a.brand_id and p.done_at is null and a.promise = ${PROMISE})
     order by a.id limit $1`,
    [max],
  );
  return rows;
}
