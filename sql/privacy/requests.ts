/**
 * Requests to export or to erase what is stored of a person, or all of an account that is closed: as providers pass them
 * on, or as an operator makes them.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import { currentAccount, recordAction } from '../tenants/audit.ts';
import type { Sealer } from '../tenants/secrets.ts';
import { type Identity, openIdentity, sealIdentity } from './identity.ts';

export type PrivacyKind = 'export' | 'erase_person' | 'erase_account';
export type Subject = Readonly<Record<string, string | readonly string[]>>;

export type PrivacyRequest = {
  kind: PrivacyKind;
  /** Ids of the provider, and nothing else that names a person. */
  subject: Subject;
  /** The account at the provider whose ids these are, if it says so: the connection that was told may be of another one. */
  account?: string;
  /** Who it is, sealed where it is stored; absent for an account. */
  person?: Identity;
  dueDays: number;
};

export type RequestOwner = { brandId: string; connectionId: string | null };

/** `target`: what the audit log names. */
export type NewRequest = PrivacyRequest & RequestOwner & { source: 'provider' | 'operator'; target?: string };

/** Its number, and whether the brand has the account that it is about: else an operator decides. */
export async function storeRequest(
  tx: Tx,
  sealer: Sealer,
  request: NewRequest,
): Promise<{ id: number; isOwn: boolean }> {
  const { brandId, kind, subject, person, dueDays, source, account } = request;
  if (request.connectionId !== null)
    await keepConnection(tx, { brandId, connectionId: request.connectionId });
  const owner = await ownerOf(tx, request);
  const connectionId = owner ?? request.connectionId;
  const isOwn = owner !== undefined;
  const sealed = person && sealIdentity(sealer, brandId, person);
  const progress = isOwn ? null : JSON.stringify({ foreign: account });
  const { rows } = await tx.query<{ id: number; name: string; due: Date }>(
    `with made as (
       insert into ops.privacy_requests
         (brand_id, connection_id, kind, subject, due_at, source, person, person_key_id, progress)
       values ($1, $2, $3, $4, now() + make_interval(days => $5), $6, $7, $8, $9) returning id, due_at)
     select made.id, made.due_at as due, coalesce(c.name, b.slug) as name
     from made join app.brands b on b.id = $1
     left join app.connections c on c.brand_id = b.id and c.id = $2`,
    [
      ...[brandId, connectionId, kind, JSON.stringify(subject), dueDays, source],
      ...[sealed?.sealed ?? null, sealed?.keyId ?? null, progress],
    ],
  );
  const [made] = rows;
  if (made === undefined) throw new TypeError(`brand ${brandId} is gone`);
  await recordAction(tx, {
    action: 'privacy.request',
    ...{ brandId, target: made.name },
    ...(source === 'provider' && { actor: 'webhook' }),
    after: { request: made.id, kind, due: made.due },
  });
  return { id: made.id, isOwn };
}

/** Whether a provider has asked for the same, and it is not done yet. */
export async function isAsked(
  tx: Tx,
  request: PrivacyRequest & { brandId: string; connectionId: string },
): Promise<boolean> {
  const owner = await ownerOf(tx, { ...request, source: 'provider' });
  const { rows } = await tx.query(
    `select from ops.privacy_requests
     where brand_id = $1 and connection_id = $2 and kind = $3 and subject = $4 and source = 'provider'
       and done_at is null limit 1`,
    [request.brandId, owner ?? request.connectionId, request.kind, JSON.stringify(request.subject)],
  );
  return rows.length > 0;
}

/**
 * The connection of the account that is named, of the brand and the provider; undefined if there is none. All of an account
 * is purged only if the connection was told itself, because then its own secret has signed it.
 */
async function ownerOf(
  tx: Tx,
  { brandId, connectionId, account, kind }: NewRequest,
): Promise<string | null | undefined> {
  if (account === undefined || connectionId === null) return connectionId;
  const { rows } = await tx.query<{ id: string }>(
    `select o.id from app.connections c
     join app.connections o on o.brand_id = c.brand_id and o.provider = c.provider
     where c.brand_id = $1 and c.id = $2 and lower(o.account) = lower($3) and o.removing_at is null
       and (o.id = c.id or $4 <> 'erase_account')
     order by o.id <> c.id, o.id limit 1`,
    [brandId, connectionId, account, kind],
  );
  return rows[0]?.id;
}

export type StoredRequest = RequestOwner & {
  id: number;
  kind: PrivacyKind;
  subject: Subject;
  source: 'provider' | 'operator';
  progress: Progress | null;
  proof: Proof | null;
  requestedAt: Date;
  dueAt: Date;
  doneAt: Date | null;
  doneBy: string | null;
  brand: string;
  connection: string | null;
};

/** How far an erasure is. */
export type Progress = {
  /** The step, and within it the table, that is under way; where to go on in it. */
  at?: string;
  after?: readonly string[] | null;
  /** Objects that name the person in a text, by connection: as `objectKey` names them. */
  objects?: Record<string, string[]>;
  /** The connection that is being purged. */
  purging?: string;
  /** The account that is meant, if the brand has no connection to it: then an operator decides. */
  foreign?: string;
  /** Redacted rows by table. */
  redacted?: Record<string, number>;
};

export type Proof = {
  searchedAt: string;
  /** Rows that were searched, by table. */
  searched: Record<string, number>;
  /** Rows in which something of the person was found, by table: none if it is proven. */
  found: Record<string, number>;
};

const REQUESTS = `
  select p.brand_id as "brandId", p.connection_id as "connectionId", p.id, p.kind, p.subject, p.source, p.progress, p.proof,
         p.requested_at as "requestedAt", p.due_at as "dueAt", p.done_at as "doneAt", p.done_by as "doneBy",
         b.slug as brand, c.name as connection
  from ops.privacy_requests p
  join app.brands b on b.id = p.brand_id
  left join app.connections c on c.brand_id = p.brand_id and c.id = p.connection_id`;

export async function readRequest(
  db: Reader,
  { brandId, id }: { brandId: string; id: number },
): Promise<StoredRequest | undefined> {
  const { rows } = await db.query<StoredRequest>(`${REQUESTS} where p.brand_id = $1 and p.id = $2`, [
    brandId,
    id,
  ]);
  return rows[0];
}

/** Open ones first, the most urgent before the others. */
export async function listRequests(
  db: Reader,
  { brandId, isOpen, max }: { brandId: string | null; isOpen: boolean; max: number },
): Promise<StoredRequest[]> {
  const { rows } = await db.query<StoredRequest>(
    `${REQUESTS} where ($1::uuid is null or p.brand_id = $1) and (not $2 or p.done_at is null)
     order by p.done_at is not null, p.due_at, p.id limit $3`,
    [brandId, isOpen, max],
  );
  return rows;
}

/** Whom it is about; undefined once that is forgotten. */
export async function personOf(
  db: Reader,
  sealer: Sealer,
  { brandId, id }: { brandId: string; id: number },
): Promise<Identity | undefined> {
  const { rows } = await db.query<{ sealed: Buffer | null; keyId: string | null }>(
    'select person as sealed, person_key_id as "keyId" from ops.privacy_requests where brand_id = $1 and id = $2',
    [brandId, id],
  );
  const { sealed = null, keyId = null } = rows[0] ?? {};
  return sealed === null || keyId === null ? undefined : openIdentity(sealer, brandId, { sealed, keyId });
}

export async function saveProgress(
  tx: Tx,
  { brandId, id }: { brandId: string; id: number },
  progress: Progress,
): Promise<void> {
  await tx.query('update ops.privacy_requests set progress = $3 where brand_id = $1 and id = $2', [
    brandId,
    id,
    JSON.stringify(progress),
  ]);
}

export async function saveProof(
  tx: Tx,
  { brandId, id }: { brandId: string; id: number },
  proof: Proof,
): Promise<void> {
  await tx.query('update ops.privacy_requests set proof = $3 where brand_id = $1 and id = $2', [
    brandId,
    id,
    JSON.stringify(proof),
  ]);
}

export type Done = {
  brandId: string;
  id: number;
  by?: string;
  /** Further facts for the audit log. */
  details?: Record<string, unknown>;
};

/** Forgets whom it was about. False if there is no such open request. */
export async function finishRequest(tx: Tx, { brandId, id, by, details }: Done): Promise<boolean> {
  const who = by ?? currentAccount();
  const { rows } = await tx.query<{ kind: PrivacyKind; name: string }>(
    `update ops.privacy_requests p
     set done_at = now(), done_by = $3, person = null, person_key_id = null,
         progress = p.progress - 'objects' - 'after', subject = '{}'
     from app.brands b
     where b.id = p.brand_id and p.brand_id = $1 and p.id = $2 and p.done_at is null
     returning p.kind,
       coalesce((select c.name from app.connections c where c.brand_id = $1 and c.id = p.connection_id), b.slug) as name`,
    [brandId, id, who],
  );
  const [done] = rows;
  if (done === undefined) return false;
  await recordAction(tx, {
    action: 'privacy.done',
    ...{ brandId, target: done.name, actor: who },
    ...{
      before: { request: id, done: false },
      after: { request: id, done: true },
      details: { kind: done.kind, ...details },
    },
  });
  return true;
}

/** When a stream of the connection was last read to its end. */
export async function lastSuccessOf(
  db: Reader,
  { brandId, connectionId }: { brandId: string; connectionId: string },
): Promise<Date | null> {
  const { rows } = await db.query<{ at: Date | null }>(
    'select max(last_success_at) as at from ops.positions where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
  return rows[0]?.at ?? null;
}

/**
 * Of a connection that goes: a purge of it is done with it, and who asked by an address may be known elsewhere, so that
 * request goes on. All of them, and their proof, stay with the brand.
 */
export async function detachRequests(
  tx: Tx,
  { brandId, connectionId, by }: { brandId: string; connectionId: string; by?: string | undefined },
): Promise<void> {
  const { rows } = await tx.query<{ id: number }>(
    `select id from ops.privacy_requests
     where brand_id = $1 and connection_id = $2 and done_at is null and kind = 'erase_account'
       and not coalesce(progress, '{}') ?| array['foreign', 'purging'] order by id`,
    [brandId, connectionId],
  );
  for (const { id } of rows)
    await finishRequest(tx, { brandId, id, ...(by && { by }), details: { removed: connectionId } });
  await tx.query(
    'update ops.privacy_requests set connection_id = null where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
}
