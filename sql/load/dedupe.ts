/** Removes duplicates within a page: only the newest version of each object is loaded. */
import type { PackedItem } from './pack.ts';
import type { Deletion } from './table.ts';

export type Deduped = {
  /** Oldest version first, so that the newest decides about a child that two items claim. */
  items: PackedItem[];
  deletions: Deletion[];
  /** Items with a newer version or a deletion in the same page. */
  superseded: number;
};

/** The newest version wins, of equal ones the last; a deletion wins against a version of its own instant. */
export function dedupe(items: readonly PackedItem[], deletions: readonly Deletion[]): Deduped {
  const newest = new Map<string, PackedItem>();
  for (const item of items) {
    const other = newest.get(item.id);
    if (other === undefined || other.changedAt <= item.changedAt) newest.set(item.id, item);
  }
  const gone = new Map<string, Deletion>();
  for (const deletion of deletions) {
    const other = gone.get(deletion.id);
    if (other === undefined || other.deletedAt < deletion.deletedAt) gone.set(deletion.id, deletion);
  }
  for (const { id, deletedAt } of gone.values()) {
    const item = newest.get(id);
    if (item === undefined) continue;
    if (item.changedAt > deletedAt) gone.delete(id);
    else newest.delete(id);
  }
  return {
    items: [...newest.values()].sort((a, b) => a.changedAt.getTime() - b.changedAt.getTime()),
    deletions: [...gone.values()],
    superseded: items.length - newest.size,
  };
}
