/**
 * What erased persons were known by, sealed: for as long as a snapshot holds them, so that they are erased from it before
 * anyone reads what is restored of it, and not a day longer.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { Sealer } from '../tenants/secrets.ts';
import { type Identity, openIdentity, openRemembered, type Remembered, sealRemembered } from './identity.ts';

type Which = { brandId: string; id: number };

/** Of a request that is about to be finished in this transaction. Nothing is kept if no snapshot can hold the person. */
export async function keepPerson(
  tx: Tx,
  sealer: Sealer,
  { brandId, id }: Which,
  remembered: Remembered,
): Promise<void> {
  const { sealed, keyId } = sealRemembered(sealer, brandId, remembered);
  await tx.query(
    `insert into ops.erased_persons (brand_id, request, known_to, person, person_key_id)
     select p.brand_id, p.id, p.connection_id, $3, $4
     from ops.privacy_requests p
     where p.brand_id = $1 and p.id = $2
       and (exists (select from ops.snapshots s where s.brand_id = $1)
         or exists (select from ops.snapshot_runs r where r.brand_id = $1 and r.kind = 'create' and r.outcome is null))
     on conflict do nothing`,
    [brandId, id, sealed, keyId],
  );
}

/** Those that no snapshot holds any more: for one who knows that none of the brand is being made. */
export async function forgetPersons(tx: Tx, brandId: string): Promise<number> {
  const { rowCount } = await tx.query(
    `delete from ops.erased_persons e
     where brand_id = $1 and not exists (
       select from ops.snapshots s where s.brand_id = $1 and s.created_at <= e.erased_at)`,
    [brandId],
  );
  return rowCount ?? 0;
}

export type Erasure = {
  request: number;
  isDone: boolean;
  /** Whether anything was redacted already. */
  isBegun: boolean;
  connectionId: string | null;
  /** Undefined once that is forgotten, and of an account. */
  person: Identity | undefined;
  /** Objects that were found to name the person, by connection. */
  objects: Readonly<Record<string, readonly string[]>>;
  /** The account that was closed, whose rows are gone. */
  purged: string | null;
};

type Stored = Omit<Erasure, 'person'> & {
  sealed: Buffer | null;
  keyId: string | null;
  kept: Buffer | null;
  keptKeyId: string | null;
};

/** Those that ended after the instant, and those that have not ended, in their order. */
export async function erasuresSince(
  db: Reader,
  sealer: Sealer,
  { brandId, at }: { brandId: string; at: Date },
): Promise<Erasure[]> {
  const { rows } = await db.query<Stored>(
    `select p.id as request, p.done_at is not null as "isDone", p.progress is not null as "isBegun",
            coalesce(e.known_to, p.connection_id) as "connectionId",
            p.person as sealed, p.person_key_id as "keyId", e.person as kept, e.person_key_id as "keptKeyId",
            coalesce(p.progress -> 'objects', '{}') as objects, p.progress ->> 'purging' as purged
     from ops.privacy_requests p
     left join ops.erased_persons e on e.brand_id = p.brand_id and e.request = p.id
     where p.brand_id = $1 and (p.done_at >= $2 or p.done_at is null) and not coalesce(p.progress ? 'foreign', false)
       and (p.kind = 'erase_person' or p.kind = 'erase_account' and p.progress ? 'purging')
     order by p.id`,
    [brandId, at],
  );
  return rows.map(({ sealed, keyId, kept, keptKeyId, ...erasure }) => {
    if (kept !== null && keptKeyId !== null)
      return { ...erasure, ...openRemembered(sealer, brandId, { sealed: kept, keyId: keptKeyId }) };
    if (sealed === null || keyId === null) return { ...erasure, person: undefined };
    return { ...erasure, person: openIdentity(sealer, brandId, { sealed, keyId }) };
  });
}

/** Whether identifiers were erased after the instant, whoever asked for it. */
export async function hasErasedSince(
  db: Reader,
  { brandId, at }: { brandId: string; at: Date },
): Promise<boolean> {
  const { rows } = await db.query<{ erased: boolean }>(
    `select exists (select from ops.erased_identifiers where brand_id = $1 and erased_at >= $2) as erased`,
    [brandId, at],
  );
  return rows[0]?.erased ?? false;
}
