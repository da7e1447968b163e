/** Pauses: jobs of a task, a provider, a brand or a connection wait until somebody resumes them, or until an instant. */

import { coded } from '#runtime/errors.ts';
import type { Db, Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import { recordAction } from '../tenants/audit.ts';
import { keepBrand } from '../tenants/removing.ts';

/** Of a provider, a brand, or a connection (which names its brand too); of one task if one is named. */
export type Paused = {
  task?: string | undefined;
  provider?: string | undefined;
  brandId?: string | undefined;
  connectionId?: string | undefined;
};

export type PauseRow = {
  task: string | null;
  provider: string | null;
  brand: string | null;
  connection: string | null;
  reason: string;
  paused_by: string;
  paused_at: Date;
  until: Date | null;
  /** How many jobs it keeps waiting. */
  jobs: number;
};

export class NotPaused extends coded('NS_JOBS_NOT_PAUSED') {
  constructor(target: string) {
    super(`There is no pause of ${target}.`, {
      hint: 'npx nightshift jobs pauses lists them; name it with the same options',
    });
  }
}

const PAUSED_FLAGS = { name: 'paused flags', text: 'select distinct flag from ops.current_pauses' };

export async function pausedFlags(db: Pick<Db, 'query'>): Promise<string[]> {
  const { rows } = await db.query<{ flag: string }>(PAUSED_FLAGS);
  return rows.map(({ flag }) => flag);
}

/** The oldest of those that hold, and how many there are in all. */
export async function readPauses(db: Reader, max: number): Promise<{ pauses: PauseRow[]; total: number }> {
  const { rows } = await db.query<PauseRow & { total: number }>(PAUSES, [max]);
  return { pauses: rows.map(({ total: _, ...pause }) => pause), total: rows[0]?.total ?? 0 };
}

// Jobs are counted by flag in one scan of the queue, however many pauses there are.
const PAUSES = `
  with shown as (
    select *, count(*) over ()::int as total from ops.current_pauses
    order by paused_at, flag, by_breaker limit $1
  ), waiting as materialized (
    select f.flag, count(*) as jobs
    from graphile_worker._private_jobs j cross join lateral jsonb_object_keys(j.flags) as f (flag)
    where j.locked_at is null and j.attempts < j.max_attempts and j.run_at <> 'infinity'
      and f.flag in (select flag from shown)
    group by f.flag
  )
  select p.task, p.provider, b.slug as brand, c.name as connection, p.reason, p.paused_by, p.paused_at, p.until,
         coalesce(w.jobs, 0) as jobs, p.total
  from shown p
  left join waiting w on w.flag = p.flag
  left join app.brands b on b.id = p.brand_id
  left join app.connections c on (c.brand_id, c.id) = (p.brand_id, p.connection_id)
  order by p.paused_at, p.flag, p.by_breaker`;

export type PauseOfJob = Pick<PauseRow, 'task' | 'provider' | 'brand' | 'connection'> & { why: string };

/** Those that keep one of these jobs waiting, each once. */
export async function pausesOfJobs(db: Reader, ids: readonly string[]): Promise<PauseOfJob[]> {
  const { rows } = await db.query<PauseOfJob>(
    `select p.task, p.provider, b.slug as brand, c.name as connection, p.why
     from ops.current_pauses p
     left join app.brands b on b.id = p.brand_id
     left join app.connections c on c.brand_id = p.brand_id and c.id = p.connection_id
     where exists (
       select from graphile_worker._private_jobs j where j.id = any ($1::bigint[]) and j.flags ? p.flag)
     order by p.by_breaker, p.until desc nulls first, p.flag`,
    [ids],
  );
  return rows;
}

type Pause = { target: string; reason: string; until?: string | undefined; by: string };

/** A second pause of the same takes the place of the first. False if `until` is past. */
export async function pause(db: Db, paused: Paused, { target, reason, until, by }: Pause): Promise<boolean> {
  return db.transaction(async (tx) => {
    const { brandId, connectionId } = paused;
    if (brandId && connectionId) await keepConnection(tx, { brandId, connectionId });
    else if (brandId) await keepBrand(tx, brandId);
    await tx.query(
      'delete from ops.pauses where until <= now() and not by_breaker and flag = ops.pause_flag($1, $2, $3, $4)',
      valuesOf(paused),
    );
    const before = (await lockPauses(tx, paused)).find(({ by_breaker }) => !by_breaker);
    const { rows } = await tx.query<{ until: Date | null }>(
      `insert into ops.pauses (flag, task, provider, brand_id, connection_id, reason, until, paused_by)
       select ops.pause_flag($1, $2, $3, $4), $1, case when $3::uuid is null then $2 end, $3, $4, $5, $6, $7
       where $6::timestamptz is null or $6::timestamptz > now()
       on conflict (flag, by_breaker) do update
       set reason = excluded.reason, until = excluded.until, paused_by = excluded.paused_by
       returning until`,
      [...valuesOf(paused), reason, until ?? null, by],
    );
    if (rows[0] === undefined) return false;
    // Jobs that wait for the end that it had wait for the new one instead, once a sweep finds them.
    if (before) await tx.query('select ops.wake_jobs($1, $2)', [before.flag, before.until]);
    const after = { reason, until: rows[0].until };
    await recordAction(tx, { action: 'jobs.pause', target, ...ofBrand(paused), ...was(before), after });
    return true;
  });
}

/** Ends pauses of a person and of a breaker alike; the jobs can be claimed within a second. */
export async function resume(db: Db, paused: Paused, target: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [before] = await lockPauses(tx, paused);
    if (before === undefined) throw new NotPaused(target);
    await tx.query(
      `with closed as (
         delete from ops.pauses where flag = ops.pause_flag($1, $2, $3, $4) returning flag, until)
       select ops.wake_jobs(flag, until) from closed`,
      valuesOf(paused),
    );
    await recordAction(tx, { action: 'jobs.resume', target, ...ofBrand(paused), ...was(before) });
  });
}

type Held = { flag: string; by_breaker: boolean; reason: string; until: Date | null };

async function lockPauses(tx: Tx, paused: Paused): Promise<Held[]> {
  const { rows } = await tx.query<Held>(
    `select flag, by_breaker, reason, until from ops.pauses
     where flag = ops.pause_flag($1, $2, $3, $4) and (until is null or until > now())
     order by by_breaker for update`,
    valuesOf(paused),
  );
  return rows;
}

function valuesOf({ task, provider, brandId, connectionId }: Paused): unknown[] {
  return [task, provider, brandId, connectionId].map((value) => value ?? null);
}

function ofBrand({ brandId }: Paused): { brandId?: string } {
  return brandId === undefined ? {} : { brandId };
}

function was(held: Held | undefined) {
  return held === undefined ? {} : { before: { reason: held.reason, until: held.until } };
}
