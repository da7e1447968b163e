/** The state of the queue: live workers, and the state of jobs. Reads only. */
import type { Reader } from '#sql/db/reader.ts';

/** Workers that hold their advisory lock, which PostgreSQL frees as soon as their process is gone. */
export async function liveWorkers(db: Reader): Promise<LiveWorker[]> {
  const { rows } = await db.query<LiveWorker>(`
    select w.pool_id, w.host, w.process_id, w.started_at
    from ops.workers w
    where w.ended_at is null and exists (
      select from pg_locks l
      join pg_database d on d.oid = l.database and d.datname = current_database()
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and (l.classid::bigint << 32) | l.objid::bigint = w.lock_key)
    order by w.started_at`);
  return rows;
}

export type LiveWorker = { pool_id: string; host: string; process_id: number; started_at: Date };

/** The state of a job. `gone`: it is not queued and never ran, because a person removed it from the queue. */
export type JobState = {
  id: string;
  task: string | null;
  state:
    | 'waiting'
    | 'running'
    | 'retrying'
    | 'released'
    | 'crashed'
    | 'succeeded'
    | 'partial'
    | 'held'
    | 'paused'
    | 'dead'
    | 'cancelled'
    | 'gone';
  attempt: number | null;
  run_at: Date | null;
  /** What keeps it from running, of a job that is queued. */
  why: string | null;
  progress: Record<string, unknown> | null;
  tally: Record<string, unknown> | null;
  error_code: string | null;
  error_message: string | null;
  error_hint: string | null;
  started_at: Date | null;
  finished_at: Date | null;
};

/** In the given order. */
export async function jobStates(db: Reader, ids: readonly string[]): Promise<JobState[]> {
  const { rows } = await db.query<JobState>(
    `select wanted.id::text, coalesce(j.task, r.task) as task,
            case when j.job_id is null then coalesce(r.outcome, 'gone')
                 when j.state in ('running', 'dead', 'held', 'paused') then j.state
                 when r.outcome in ('retrying', 'released', 'crashed') then r.outcome
                 else 'waiting' end as state,
            r.attempt, j.run_at, j.why, r.progress, r.tally, r.error_code, r.error_message,
            r.error_hint, r.started_at, r.finished_at
     from unnest($1::bigint[]) with ordinality as wanted (id, place)
     left join lateral (
       select * from ops.job_runs r where r.job_id = wanted.id order by r.id desc limit 1
     ) r on true
     left join ops.jobs j on j.job_id = wanted.id
     order by wanted.place`,
    [ids],
  );
  return rows;
}
