/** Decides by versions which items and deletions of a page may change what is stored. */

import type { Tx } from '../db/pool.ts';
import type { Deduped } from './dedupe.ts';
import type { PackedItem } from './pack.ts';
import type { StreamStatements } from './statements.ts';
import type { ConnectionKey } from './stream_key.ts';
import type { Deletion, Table } from './table.ts';

/** The root table of the ids of a load. */
export type Place = ConnectionKey & { rootTable: string };

export type SortedOut = {
  /** Never stored. */
  fresh: PackedItem[];
  /** Stored in the same or an older version, or as an older tombstone, and not known to be equal. */
  known: PackedItem[];
  /** All items that are not older than what is stored: those above, and those that are known to be equal. */
  current: PackedItem[];
  /** Deletions of stored objects. */
  deletions: Deletion[];
  /** The number of those that are not tombstones yet. */
  deleted: number;
  /** Deletions of objects that were never stored. */
  early: Deletion[];
  /** Objects that came back after a deletion that arrived before them. */
  overEarly: string[];
};

type Version = { id: string; changed_at: Date; deleted: boolean; stored: boolean; digest: string | null };

export async function sortOut(
  tx: Tx,
  { brandId, connectionId, rootTable }: Place,
  { root, versions: asked }: StreamStatements,
  { items, deletions }: Deduped,
  believesDigests: boolean,
): Promise<SortedOut> {
  const ids = [...items, ...deletions].map(({ id }) => id);
  const { rows } = await tx.query<Version>({
    ...asked,
    values: [brandId, connectionId, ids, rootTable],
  });
  const versions = new Map(rows.map((row) => [row.id, row]));
  const accepted = items.filter((item) => isCurrent(item, versions.get(item.id)));
  const isStored = ({ id }: { id: string }) => versions.get(id)?.stored === true;
  const known = accepted.filter(isStored);
  const isSame = (item: PackedItem) => believesDigests && isUnchanged(item, versions.get(item.id), root);
  const applied = deletions.filter((deletion) => ends(deletion, versions.get(deletion.id)));
  return {
    fresh: accepted.filter((item) => !isStored(item)),
    known: known.filter((item) => !isSame(item)),
    current: accepted,
    deletions: applied.filter(isStored),
    deleted: applied.filter((deletion) => isStored(deletion) && !versions.get(deletion.id)?.deleted).length,
    early: applied.filter((deletion) => !isStored(deletion)),
    overEarly: accepted.filter((item) => versions.get(item.id)?.stored === false).map(({ id }) => id),
  };
}

/** Whether an item has the same content as when it was stored, and the same version, unless that is our own instant. */
function isUnchanged(item: PackedItem, version: Version | undefined, { observed }: Table): boolean {
  if (!version?.digest || version.deleted) return false;
  if (!observed && version.changed_at.getTime() !== item.changedAt.getTime()) return false;
  return version.digest === item.digest;
}

// Providers use whole seconds: of a version and a deletion of the same instant the deletion is later, because nothing
// changes a deleted object.
function isCurrent({ changedAt }: PackedItem, version: Version | undefined): boolean {
  if (version === undefined) return true;
  return version.deleted ? version.changed_at < changedAt : version.changed_at <= changedAt;
}

function ends({ deletedAt }: Deletion, version: Version | undefined): boolean {
  if (version === undefined) return true;
  return version.deleted ? version.changed_at < deletedAt : version.changed_at <= deletedAt;
}

/** Stores deletions of unknown objects, and drops those with a newer version. */
export async function rememberEarly(
  tx: Tx,
  { brandId, connectionId, rootTable }: Place,
  { early, overEarly }: SortedOut,
  now: Date,
): Promise<void> {
  if (overEarly.length > 0) {
    await tx.query(
      `delete from ops.early_deletions
       where brand_id = $1 and connection_id = $2 and table_name = $3 and id = any($4::text[])`,
      [brandId, connectionId, rootTable, overEarly],
    );
  }
  if (early.length === 0) return;
  await tx.query(
    `insert into ops.early_deletions as e (brand_id, connection_id, table_name, id, deleted_at, seen_at)
     select $1::uuid, $2::uuid, $3, id, deleted_at, $6::timestamptz
     from unnest($4::text[], $5::timestamptz[]) as d (id, deleted_at)
     on conflict (brand_id, connection_id, table_name, id) do update
     set deleted_at = excluded.deleted_at, seen_at = excluded.seen_at
     where e.deleted_at < excluded.deleted_at`,
    [brandId, connectionId, rootTable, ...columnsOf(early), now],
  );
}

/** Ids and instants as parallel arrays, for `unnest`. */
export function columnsOf(deletions: readonly Deletion[]): [string[], string[]] {
  return [deletions.map(({ id }) => id), deletions.map(({ deletedAt }) => deletedAt.toISOString())];
}
