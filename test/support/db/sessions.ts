/** Several transactions at a time, to let them meet in a chosen order. */
import { expect } from 'vitest';
import type { Tx } from '#sql/db/pool.ts';
import { eventually } from '../eventually.ts';
import type { TestDb } from './db.ts';

export type Session = AsyncDisposable & { tx: Tx; pid: number; commit(): Promise<void> };

/** A transaction that stays open until it is committed; one that is not is rolled back at scope end. */
export async function openTransaction(db: TestDb): Promise<Session> {
  const tx = await db.pool.connect();
  await tx.query('begin');
  const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid ?? 0;
  return {
    tx,
    pid,
    commit: async () => {
      await tx.query('commit');
    },
    [Symbol.asyncDispose]: async () => {
      await tx.query('rollback');
      tx.release();
    },
  };
}

/** Returns once some session, whichever it is, is held up by `holder`. */
export async function untilSomebodyWaitsFor(db: TestDb, holder: Session): Promise<void> {
  await eventually(async () => {
    const held = 'select pid from pg_stat_activity where $1 = any (pg_blocking_pids(pid))';
    expect(await db.column(held, [holder.pid])).not.toEqual([]);
  });
}

/** Returns once PostgreSQL says that `waiting` is held up by `holder`. */
export async function waitUntilBlocked(db: TestDb, waiting: Session, holder: Session): Promise<void> {
  await eventually(async () => {
    const [row] = await db.rows<{ by: number[] }>('select pg_blocking_pids($1) as by', [waiting.pid]);
    expect(row?.by).toContain(holder.pid);
  });
}
