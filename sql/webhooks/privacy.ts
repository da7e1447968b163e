/** Requests of persons, and of accounts that are closed, as providers pass them on. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { ConnectionKey } from '../load/stream_key.ts';
import { recordAction } from '../tenants/audit.ts';

export type PrivacyKind = 'export' | 'erase_person' | 'erase_account';

/** `subject`: ids of the provider, and nothing else that names a person. */
export type PrivacyRequest = {
  kind: PrivacyKind;
  subject: Readonly<Record<string, string | readonly string[]>>;
  dueDays: number;
};

export async function storePrivacyRequests(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  requests: readonly PrivacyRequest[],
): Promise<void> {
  for (const { kind, subject, dueDays } of requests) {
    const { rows } = await tx.query<{ id: number; name: string; due: Date }>(
      `with made as (
         insert into ops.privacy_requests (brand_id, connection_id, kind, subject, due_at)
         values ($1, $2, $3, $4, now() + make_interval(days => $5)) returning id, due_at)
       select made.id, made.due_at as due, c.name from made, app.connections c
       where c.brand_id = $1 and c.id = $2`,
      [brandId, connectionId, kind, JSON.stringify(subject), dueDays],
    );
    const [made] = rows;
    if (made === undefined) continue;
    await recordAction(tx, {
      ...{ action: 'privacy.request', brandId, target: made.name, actor: 'webhook' },
      after: { request: made.id, kind, subject, due: made.due },
    });
  }
}

export type OpenRequest = {
  id: number;
  kind: PrivacyKind;
  subject: object;
  requested_at: Date;
  due_at: Date;
  done_at: Date | null;
};

/** Open ones first, the most urgent before the others. */
export async function listPrivacyRequests(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  max: number,
): Promise<OpenRequest[]> {
  const { rows } = await db.query<OpenRequest>(
    `select id, kind, subject, requested_at, due_at, done_at from ops.privacy_requests
     where brand_id = $1 and connection_id = $2 order by done_at is not null, due_at, id limit $3`,
    [brandId, connectionId, max],
  );
  return rows;
}

/** False if there is no such open request. */
export async function finishPrivacyRequest(
  tx: Tx,
  { brandId, connectionId, name, id, by }: ConnectionKey & { name: string; id: number; by: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.privacy_requests set done_at = now(), done_by = $4
     where brand_id = $1 and connection_id = $2 and id = $3 and done_at is null`,
    [brandId, connectionId, id, by],
  );
  if (rowCount !== 1) return false;
  const [before, after] = [
    { request: id, done: false },
    { request: id, done: true },
  ];
  await recordAction(tx, { action: 'privacy.done', brandId, target: name, before, after });
  return true;
}
