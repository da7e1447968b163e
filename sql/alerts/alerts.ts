/** Promises that are broken. `ops.alerts` has one open row for each. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';

/** What is broken: a night, the way to a provider, that of its deliveries, the term of a request, what is known of letters, what figures were, snapshots, what providers warn of. */
export type AlertKind =
  | 'night'
  | 'breaker'
  | 'webhooks'
  | 'privacy'
  | 'mail'
  | 'restatement'
  | 'figures'
  | 'snapshots'
  | 'warnings';

export type Broken = {
  brandId: string | null;
  kind: AlertKind;
  promise: string;
  cause: string;
  hint: string;
  now: Date;
};

export type Alert = {
  id: number;
  kind: AlertKind;
  brand: string | null;
  connection: string | null;
  promise: string;
  cause: string;
  hint: string;
  raisedAt: Date;
  resolvedAt: Date | null;
};

/** Gives the number of the alert; undefined if the promise is known to be broken. */
export async function raiseAlert(tx: Tx, broken: Broken): Promise<number | undefined> {
  const { brandId, kind, promise, cause, hint, now } = broken;
  const { rows } = await tx.query<{ id: number }>(
    `insert into ops.alerts (brand_id, kind, promise, cause, hint, raised_at) values ($1, $2, $3, $4, $5, $6)
     on conflict do nothing returning id`,
    [brandId, kind, promise, cause, hint, now],
  );
  return rows[0]?.id;
}

/** Gives the number of the alert; undefined if the promise was not broken. */
export async function resolveAlert(
  tx: Tx,
  { brandId, promise, now }: Pick<Broken, 'brandId' | 'promise' | 'now'>,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    `update ops.alerts set resolved_at = $3
     where brand_id is not distinct from $1 and promise = $2 and resolved_at is null returning id`,
    [brandId, promise, now],
  );
  return rows[0]?.id;
}

export async function readAlert(db: Reader, id: number): Promise<Alert | undefined> {
  const { rows } = await db.query<Alert>(
    `select a.id, a.kind, b.slug as brand, c.name as connection, a.promise, a.cause, a.hint, a.raised_at as "raisedAt", a.resolved_at as "resolvedAt"
     from ops.alerts a left join app.brands b on b.id = a.brand_id
     left join app.connections c on (c.brand_id, c.id) = (a.brand_id, a.connection_id) where a.id = $1`,
    [id],
  );
  return rows[0];
}
