/** What was done with snapshots, and how it ended. */
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';

export type SnapshotRun = {
  brandId: string;
  /** `create`, `verify` … */
  kind: string;
  snapshotId?: string | undefined;
  jobId?: string | undefined;
  level?: number | undefined;
};

export async function beginSnapshotRun(tx: Tx, run: SnapshotRun): Promise<number> {
  const { brandId, kind, snapshotId, jobId, level } = run;
  const { rows } = await tx.query<{ id: number }>(
    `insert into ops.snapshot_runs (brand_id, kind, snapshot_id, job_id, level) values ($1, $2, $3, $4, $5) returning id`,
    [brandId, kind, snapshotId ?? null, jobId ?? null, level ?? null],
  );
  return rows[0]?.id ?? 0;
}

/** Runs that have no end, of a job or of all: for one who knows that no other is under way. */
export async function endBrokenOff(
  tx: Tx,
  { brandId, kind, but, jobId }: { brandId: string; kind: string; but: number; jobId?: string },
): Promise<void> {
  await tx.query(
    `update ops.snapshot_runs set finished_at = now(), outcome = 'broken_off'
     where brand_id = $1 and kind = $2 and id <> $3 and outcome is null and ($4::bigint is null or job_id = $4)`,
    [brandId, kind, but, jobId ?? null],
  );
}

/** As long as a job that verifies may last. */
export const VERIFY_JOB_SECONDS_MAX = 6 * 3_600;
/** A command has no limit; one that ends after this still says how. */
const COMMAND_SECONDS = 24 * 3_600;

/** Verifications and restores whose process is gone for good: nobody else would end them, and without an end they are kept for ever. */
export async function endLostRuns(tx: Tx, brandId: string): Promise<void> {
  await tx.query(
    `update ops.snapshot_runs r set finished_at = now(), outcome = 'broken_off'
     where brand_id = $1 and kind in ('verify', 'sample', 'restore') and outcome is null
       and started_at < now() - make_interval(secs => case when job_id is null then $3::int else $2 end)
       and not exists (select from ops.jobs j where j.brand_id = $1 and j.job_id = r.job_id and j.state = 'running')`,
    [brandId, VERIFY_JOB_SECONDS_MAX, COMMAND_SECONDS],
  );
}

/** What a run is about to do, for the case that it does not come back. */
export async function noteInRun(
  tx: Tx,
  { brandId, run, tally }: { brandId: string; run: number; tally: object },
): Promise<void> {
  await tx.query(
    'update ops.snapshot_runs set tally = $3 where brand_id = $1 and id = $2 and outcome is null',
    [brandId, run, JSON.stringify(tally)],
  );
}

/** One that was taken for lost, and comes to an end after all, says which. */
export async function endSnapshotRun(
  tx: Tx,
  end: { brandId: string; run: number; snapshotId?: string; error?: unknown; tally?: object },
): Promise<void> {
  const { brandId, run, snapshotId, error, tally } = end;
  const failed = error !== undefined;
  await tx.query(
    `update ops.snapshot_runs
     set finished_at = now(), outcome = $3, error_code = $4, error_message = $5, tally = $6,
         snapshot_id = coalesce($7, snapshot_id)
     where brand_id = $1 and id = $2 and (outcome is null or outcome = 'broken_off')`,
    [
      brandId,
      run,
      failed ? 'failed' : 'succeeded',
      error instanceof NightshiftError ? error.code : null,
      failed ? messageOf(error) : null,
      tally ? JSON.stringify(tally) : null,
      snapshotId ?? null,
    ],
  );
}
