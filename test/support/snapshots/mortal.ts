/** A process that ends in the middle of its work with a store and a database. */
import type { Store } from '#tasks/snapshots/store.ts';
import { aroundTransactions } from '../db/around.ts';
import type { TestDb } from '../db/db.ts';

class Killed extends Error {}

/** Ends before or after the given step: from then on nothing that it does has an effect. */
export function mortal(steps: number, how: 'before' | 'after') {
  let [passed, dead] = [0, false];
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) throw new Killed();
    const isLast = ++passed === steps;
    if (isLast) dead = true;
    if (isLast && how === 'before') throw new Killed();
    const result = await work();
    if (isLast) throw new Killed();
    return result;
  };
  const inStore = (store: Store): Store => ({
    ...store,
    draft: (brandId) => step(() => store.draft(brandId)),
    put: (name, draft, signal) => step(() => store.put(name, draft, signal)),
    settle: () => step(() => store.settle()),
    remove: (name) => step(() => store.remove(name)),
    clearDrafts: (brandId) => step(() => store.clearDrafts(brandId)),
  });
  const inDb = (db: TestDb) => aroundTransactions(db, step);
  return { inStore, inDb, died: () => dead };
}
