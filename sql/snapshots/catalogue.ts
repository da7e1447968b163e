/** What is known of snapshots without asking a store. */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { forgetFiles, partFile } from './garbage.ts';
import type { Scope } from './tables.ts';

export type SnapshotState = 'creating' | 'complete' | 'damaged';

export type Snapshot = {
  brandId: string;
  id: string;
  brand: string;
  scope: Scope;
  state: SnapshotState;
  store: string;
  createdAt: Date;
  completedAt: Date | null;
  lsn: string | null;
  serverVersion: number | null;
  schemaVersion: string | null;
  previousId: string | null;
  manifestSha256: string | null;
  rows: number;
  bytes: number;
  storedBytes: number;
  parts: number;
  newParts: number;
  newBytes: number;
  verifiedLevel: number | null;
  verifiedAt: Date | null;
  damage: string | null;
  pinnedAt: Date | null;
  pinnedReason: string | null;
};

/** A file of a snapshot. */
export type StoredPart = {
  table: string;
  part: string;
  /** The hash of its plaintext. */
  name: string;
  /** The snapshot whose data key opens it. */
  keyId: string;
  headerSha256: string;
  rows: number;
  rowHash: string;
  bytes: number;
  storedBytes: number;
  storedSha256: string;
};

export class SnapshotNotFound extends coded('NS_SNAPSHOT_NOT_FOUND') {
  constructor(wanted: string, context: Record<string, unknown> = {}) {
    super(`There is no ${wanted}.`, {
      hint: 'npx nightshift snapshots list shows them; those of a store that this database does not know: npx nightshift snapshots sync',
      context,
    });
  }
}

export class SnapshotAmbiguous extends coded('NS_SNAPSHOT_AMBIGUOUS') {
  constructor(prefix: string) {
    super(`Several snapshots have an id that begins with ${prefix}.`, {
      hint: 'Give more of the id, or name the brand with --brand.',
      context: { prefix },
    });
  }
}

const SNAPSHOT = `brand_id as "brandId", id, brand_slug as brand, scope, state, store, created_at as "createdAt",
  completed_at as "completedAt", lsn, server_version as "serverVersion", schema_version as "schemaVersion",
  previous_id as "previousId", manifest_sha256 as "manifestSha256", rows, bytes, stored_bytes as "storedBytes", parts,
  new_parts as "newParts", new_bytes as "newBytes", verified_level as "verifiedLevel", verified_at as "verifiedAt", damage,
  pinned_at as "pinnedAt", pinned_reason as "pinnedReason"`;

const PART = `table_name as table, part, name, key_id as "keyId", header_sha256 as "headerSha256", rows,
  row_hash::text as "rowHash", bytes, stored_bytes as "storedBytes", stored_sha256 as "storedSha256"`;

export type Which = { brandId: string; id: string };

/** Complete ones, the latest first. */
export async function listSnapshots(
  db: Reader,
  { brandId, max = 1_000 }: { brandId?: string | undefined; max?: number } = {},
): Promise<Snapshot[]> {
  const { rows } = await db.query<Snapshot>(
    `select ${SNAPSHOT} from ops.snapshots where state <> 'creating' and ($1::uuid is null or brand_id = $1)
     order by created_at desc, id limit $2`,
    [brandId ?? null, max],
  );
  return rows;
}

export async function latestSnapshot(db: Reader, brandId: string): Promise<Snapshot | undefined> {
  return (await listSnapshots(db, { brandId, max: 1 }))[0];
}

/**
 * What a restore begins with: the latest of everything, of figures alone where there is no other. One that undoes a restore
 * comes last: it has what somebody wanted to be rid of, and the same command given twice must not bring that back.
 */
export async function latestToRestore(db: Reader, brandId: string): Promise<Snapshot | undefined> {
  const { rows } = await db.query<Snapshot>(
    `select ${SNAPSHOT} from ops.snapshots where state <> 'creating' and brand_id = $1
     order by scope = 'all' desc, needed_for is not distinct from 'undoes a restore', created_at desc, id limit 1`,
    [brandId],
  );
  return rows[0];
}

/** By its id or the beginning of it. */
export async function findSnapshot(db: Reader, id: string, brandId?: string): Promise<Snapshot> {
  const { rows } = await db.query<Snapshot>(
    `select ${SNAPSHOT} from ops.snapshots
     where state <> 'creating' and starts_with(id::text, $1) and ($2::uuid is null or brand_id = $2) limit 2`,
    [id.toLowerCase(), brandId ?? null],
  );
  const [found, another] = rows;
  if (found === undefined) throw new SnapshotNotFound(`snapshot ${id}`, { id });
  if (another !== undefined) throw new SnapshotAmbiguous(id);
  return found;
}

/** Those of these that are complete and still there, the latest first. */
export async function snapshotsOf(
  db: Reader,
  { brandId, ids }: { brandId: string; ids: readonly string[] },
): Promise<Snapshot[]> {
  const { rows } = await db.query<Snapshot>(
    `select ${SNAPSHOT} from ops.snapshots where state <> 'creating' and brand_id = $1 and id = any ($2)
     order by created_at desc, id`,
    [brandId, ids],
  );
  return rows;
}

export async function partsOf(db: Reader, { brandId, id }: Which): Promise<StoredPart[]> {
  const { rows } = await db.query<StoredPart>(
    `select ${PART} from ops.snapshot_parts where brand_id = $1 and snapshot_id = $2 order by table_name, part`,
    [brandId, id],
  );
  return rows;
}

/** Of a brand, and of one store if it is given. */
type Stored = { brandId: string; store: string | undefined };

/** Those of the latest snapshot of each scope, and of those that were broken off since, but none that is damaged. */
export async function recentParts(db: Reader, { brandId, store }: Stored): Promise<StoredPart[]> {
  const { rows } = await db.query<StoredPart>(
    `with snapshots as (select * from ops.snapshots where brand_id = $1 and ($2::text is null or store = $2))
     select ${PART} from ops.snapshot_parts
     where brand_id = $1 and damaged_at is null and snapshot_id = any (array(
       select id from (select distinct on (scope) id from snapshots where state <> 'creating'
                       order by scope, created_at desc, id) latest
       union all select id from snapshots where state = 'creating'))
     order by snapshot_id, table_name, part`,
    [brandId, store ?? null],
  );
  return rows;
}

/** A file of this name that some snapshot of the brand has. */
export async function partNamed(
  db: Reader,
  { brandId, store }: Stored,
  name: string,
): Promise<StoredPart | undefined> {
  const { rows } = await db.query<StoredPart>(
    `select ${PART} from ops.snapshot_parts p
     where brand_id = $1 and name = $2 and damaged_at is null
       and ($3::text is null or exists (
         select from ops.snapshots s where s.brand_id = $1 and s.id = p.snapshot_id and s.store = $3))
     order by snapshot_id limit 1`,
    [brandId, name, store ?? null],
  );
  return rows[0];
}

export async function beginSnapshot(
  tx: Tx,
  snapshot: Which & Pick<Snapshot, 'brand' | 'scope' | 'store' | 'createdAt'>,
): Promise<void> {
  const { brandId, id, brand, scope, store, createdAt } = snapshot;
  await tx.query(
    `insert into ops.snapshots (brand_id, id, brand_slug, scope, state, store, created_at)
     values ($1, $2, $3, $4, 'creating', $5, $6)`,
    [brandId, id, brand, scope, store, createdAt],
  );
}

export async function recordParts(
  tx: Tx,
  { brandId, id }: Which,
  parts: readonly (StoredPart & { isNew: boolean })[],
): Promise<void> {
  await tx.query(
    `insert into ops.snapshot_parts (brand_id, snapshot_id, table_name, part, name, key_id, header_sha256, rows, row_hash,
       bytes, stored_bytes, stored_sha256, is_new)
     select $1, $2, p."table", p.part, p.name, p."keyId", p."headerSha256", p.rows, p."rowHash", p.bytes, p."storedBytes",
            p."storedSha256", p."isNew"
     from jsonb_to_recordset($3::jsonb) as p ("table" text, part text, name text, "keyId" uuid, "headerSha256" text, rows bigint,
       "rowHash" numeric, bytes bigint, "storedBytes" bigint, "storedSha256" text, "isNew" boolean)`,
    [brandId, id, JSON.stringify(parts)],
  );
  await forgetFiles(tx, brandId, parts.map(partFile));
}

export type Completed = Which &
  Pick<Snapshot, 'lsn' | 'serverVersion' | 'schemaVersion' | 'previousId' | 'manifestSha256'>;

/** Its sums are those of its parts. */
export async function completeSnapshot(tx: Tx, snapshot: Completed): Promise<void> {
  const { brandId, id, lsn, serverVersion, schemaVersion, previousId, manifestSha256 } = snapshot;
  await tx.query(
    `update ops.snapshots s
     set state = 'complete', completed_at = now(), lsn = $3, server_version = $4, schema_version = $5, previous_id = $6,
         manifest_sha256 = $7, rows = p.rows, bytes = p.bytes, stored_bytes = p.stored, parts = p.parts, new_parts = p.new,
         new_bytes = p.new_bytes
     from (
       select coalesce(sum(rows), 0) as rows, coalesce(sum(bytes), 0) as bytes, coalesce(sum(stored_bytes), 0) as stored,
              count(*) as parts, count(*) filter (where is_new) as new,
              coalesce(sum(stored_bytes) filter (where is_new), 0) as new_bytes
       from ops.snapshot_parts where brand_id = $1 and snapshot_id = $2) p
     where s.brand_id = $1 and s.id = $2`,
    [brandId, id, lsn, serverVersion, schemaVersion, previousId, manifestSha256],
  );
}

/** Of complete ones, and of those that are gone but whose manifest is still there. */
export async function knownIds(db: Reader, brandId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from ops.snapshots where brand_id = $1 and state <> 'creating'
     union all
     select substr(file, 11, 36)::uuid from ops.snapshot_garbage where brand_id = $1 and file like 'manifests/%'`,
    [brandId],
  );
  return rows.map(({ id }) => id);
}

type Adopted = Completed & Pick<Snapshot, 'brand' | 'scope' | 'store' | 'createdAt'>;

/** What kept it is not known here. */
const ADOPTED_KEPT_DAYS = 30;

/** One that was completed without this database hearing of it. */
export async function adoptSnapshot(
  tx: Tx,
  snapshot: Adopted,
  parts: readonly (StoredPart & { isNew: boolean })[],
): Promise<void> {
  const { brandId, id } = snapshot;
  const creating = "delete from ops.snapshots where brand_id = $1 and id = $2 and state = 'creating'";
  await tx.query(creating, [brandId, id]);
  await beginSnapshot(tx, snapshot);
  await recordParts(tx, snapshot, parts);
  await completeSnapshot(tx, snapshot);
  await tx.query(
    `update ops.snapshots set needed_until = now() + make_interval(days => $3), needed_for = 'taken in from the store'
     where brand_id = $1 and id = $2`,
    [brandId, id, ADOPTED_KEPT_DAYS],
  );
}

/** The store that they are in now. */
export async function moveSnapshots(
  tx: Tx,
  { brandId, ids, store }: { brandId: string; ids: readonly string[]; store: string },
): Promise<void> {
  const moved = 'update ops.snapshots set store = $3 where brand_id = $1 and id = any ($2)';
  await tx.query(moved, [brandId, ids, store]);
}
