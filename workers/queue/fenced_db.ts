/**
 * The database as a running job sees it. Every transaction first locks the job's own row, so that a run that lost its
 * job (it was thought dead, or exceeded its timeout) can never commit again.
 */
import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import { type Claim, fence, type RunRecord } from '#sql/queue/jobs.ts';
import type { JobDb } from '#tasks/task.ts';

export class ClaimLost extends coded('NS_CLAIM_LOST') {
  constructor({ jobId }: Claim) {
    super(`Job ${jobId} is no longer this run's: it was handed back, and nothing of this was written.`, {
      hint: 'Nothing to do: the job runs elsewhere, or waits to.',
      context: { jobId },
    });
  }
}

export type FencedDb = JobDb & {
  progress(state: Record<string, unknown>): void;
  /** Progress that no transaction has stored yet. */
  pendingProgress(): Record<string, unknown> | undefined;
  /** Whether a transaction is open, or about to be. */
  isBusy(): boolean;
  /** Prevents all further commits of this run and aborts open transactions. Idempotent. */
  close(): Promise<void>;
};

/** `control` is a separate connection, which must be available even if the job uses all of `db`. */
export function fencedDb(db: Db, control: Pick<Db, 'query'>, claim: Claim, record: RunRecord): FencedDb {
  const underWay = new Map<symbol, number>(); // the server process of each open transaction
  let transactions = 0;
  let closed = false;
  let breaking: Promise<unknown> | undefined;
  let pending: Record<string, unknown> | undefined;

  const transaction = async <T>(fn: (tx: Tx) => Promise<T>): Promise<T> => {
    const progress = pending;
    let runId: number | undefined;
    transactions += 1;
    const result = await db
      .transaction(async (tx) => {
        const { value, run } = await fenced(tx, fn, progress);
        runId = run;
        return value;
      })
      .finally(() => {
        transactions -= 1;
      });
    record.id = runId; // after the commit only: a rollback removes a record that begins here
    if (pending === progress) pending = undefined;
    return result;
  };

  const fenced = async <T>(tx: Tx, fn: (tx: Tx) => Promise<T>, progress: typeof pending) => {
    const mark = Symbol(claim.jobId);
    underWay.set(mark, await backendOf(tx));
    try {
      const run = closed ? undefined : await fence(tx, claim, record, progress);
      if (run === undefined) throw new ClaimLost(claim);
      const value = await fn(tx);
      if (closed) throw new ClaimLost(claim);
      return { value, run };
    } finally {
      underWay.delete(mark);
      await breaking?.catch(() => {}); // it must be done before another user gets this connection
    }
  };

  return {
    query: (text, values) => db.query(text, values),
    transaction,
    progress: (state) => {
      pending = state;
    },
    pendingProgress: () => pending,
    isBusy: () => transactions > 0,
    close: async () => {
      closed = true;
      if (underWay.size === 0) return;
      breaking = control.query(BREAK_OFF, [[...underWay.values()]]);
      await breaking;
    },
  };
}

const BREAK_OFF = 'select pg_terminate_backend(pid) from unnest($1::int[]) pid';

// pg knows the process id of its session, but its types do not declare it.
async function backendOf(tx: Tx): Promise<number> {
  const { processID } = tx as Tx & { processID?: number };
  if (typeof processID === 'number') return processID;
  const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
  return rows[0]?.pid ?? 0;
}
