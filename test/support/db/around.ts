import type { TestDb } from './db.ts';

/** The database, with something around each of its transactions, those of jobs included. */
export function aroundTransactions(
  db: TestDb,
  around: <T>(transaction: () => Promise<T>) => Promise<T>,
): TestDb {
  return {
    ...db,
    transaction: (fn) => around(() => db.transaction(fn)),
    bracketed: (bracket) => around(() => db.bracketed(bracket)),
  };
}
