/**
 * Requests store events of a brand side by side; who takes long over it, or deletes some, has them alone. So nobody waits for
 * ids or marks of a transaction that is open for hours: whoever cannot wait asks, and is told at once.
 */
import type { Tx } from '../db/pool.ts';

const KEY = "hashtextextended('events of ' || $1, 0)";

/** Waits, and has them alone until the transaction ends. */
export async function lockEvents(tx: Tx, brandId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${KEY})`, [brandId]);
}

/** The same if nobody has them now. */
export function tryLockEvents(tx: Tx, brandId: string): Promise<boolean> {
  return tried(tx, `pg_try_advisory_xact_lock(${KEY})`, brandId);
}

/** Side by side with others who share them. */
export function tryShareEvents(tx: Tx, brandId: string): Promise<boolean> {
  return tried(tx, `pg_try_advisory_xact_lock_shared(${KEY})`, brandId);
}

async function tried(tx: Tx, lock: string, brandId: string): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(`select ${lock} as locked`, [brandId]);
  return rows[0]?.locked === true;
}
