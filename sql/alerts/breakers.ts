/** Breakers of connections that stay open. One opens and closes as a provider has its moments, which alarms nobody. */
import type { Db, Tx } from '../db/pool.ts';

export type Breaker = { brandId: string; connectionId: string };

/** One that ended an hour ago stands for nothing any more: nobody tried since, or with another result. */
const IS_STUCK = `p.by_breaker and p.connection_id is not null and p.until > now() - interval '1 hour'
  and p.until - p.paused_at >= ops.longest_break()`;
const IS_OPEN_ALERT = `a.kind = 'breaker' and a.resolved_at is null`;

const RUNS_READ_MAX = 200;
/** That an operator resumed the connection says nothing of its provider, nor does a run that failed in another way. */
const IS_ANSWERED = `${IS_OPEN_ALERT} and not exists (
    select from ops.pauses p where (p.brand_id, p.connection_id) = (a.brand_id, a.connection_id) and ${IS_STUCK})
  and exists (
    select from (
      select outcome, tally, finished_at from ops.job_runs
      where (brand_id, connection_id) = (a.brand_id, a.connection_id) order by id desc limit ${RUNS_READ_MAX}) r
    where r.finished_at > a.raised_at and ops.was_answered(r.outcome, r.tally))`;

/** Those that pause for the longest time, and of which nobody was told; those answered since, of which somebody was. */
export async function breakersToTell(db: Db, max: number): Promise<{ stuck: Breaker[]; closed: Breaker[] }> {
  const { rows: stuck } = await db.query<Breaker>(
    `select p.brand_id as "brandId", p.connection_id as "connectionId" from ops.pauses p
     where ${IS_STUCK} and not exists (
       select from ops.alerts a
       where (a.brand_id, a.connection_id) = (p.brand_id, p.connection_id) and ${IS_OPEN_ALERT})
     order by p.paused_at limit $1`,
    [max],
  );
  const { rows: closed } = await db.query<Breaker>(
    `select a.brand_id as "brandId", a.connection_id as "connectionId" from ops.alerts a
     where ${IS_ANSWERED} order by a.id limit $1`,
    [max],
  );
  return { stuck, closed };
}

/** Gives the number of the alert; undefined if the breaker has closed meanwhile, or somebody else has raised it. */
export async function raiseBreaker(
  tx: Tx,
  { brandId, connectionId }: Breaker,
  now: Date,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    `insert into ops.alerts (brand_id, connection_id, kind, promise, cause, hint, raised_at)
     select p.brand_id, p.connection_id, 'breaker', format('the provider of connection %s answers', c.name),
            p.reason || '; it is tried once an hour',
            format('npx nightshift failures list --brand %1$s --connection %2$s shows the errors; '
              'jobs resume --brand %1$s --connection %2$s tries it at once', b.slug, c.name), $3
     from ops.pauses p
     join app.brands b on b.id = p.brand_id
     join app.connections c on (c.brand_id, c.id) = (p.brand_id, p.connection_id)
     where (p.brand_id, p.connection_id) = ($1, $2) and ${IS_STUCK}
     on conflict do nothing returning id`,
    [brandId, connectionId, now],
  );
  return rows[0]?.id;
}

/** Looks again: whoever asks may have looked long ago, and the alert may be another one since. */
export async function resolveBreaker(
  tx: Tx,
  { brandId, connectionId }: Breaker,
  now: Date,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    `update ops.alerts a set resolved_at = $3
     where (a.brand_id, a.connection_id) = ($1, $2) and ${IS_ANSWERED} returning id`,
    [brandId, connectionId, now],
  );
  return rows[0]?.id;
}
