/** Work for deliveries that fails at present: when it may be tried again, and whether somebody was told. */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

/** `relay`; else a stream, or its rows: see `ops.webhook_trouble`. */
export type Work = ConnectionKey & { work: string };

/** It is tried this often at least, so that it is back soon after all is well. */
const REST_MAX = '10 min';
/** Who fails for so long does not mend himself. */
const TOLD_AFTER = '1 hour';

export type Trouble = {
  failures: number;
  failingSince: Date;
  retryAfter: Date;
  error: string;
  isResting: boolean;
};

/** Undefined while all is well. */
export async function readTrouble(
  db: Reader,
  { brandId, connectionId, work }: Work,
): Promise<Trouble | undefined> {
  const { rows } = await db.query<Trouble>(READ, [brandId, connectionId, work]);
  return rows[0];
}

const READ = `
    select failures, failing_since as "failingSince", retry_after as "retryAfter", error,
           retry_after > clock_timestamp() as "isResting"
    from ops.webhook_trouble where brand_id = $1 and connection_id = $2 and work = $3`;

/** Notes one more failure. `rests`: whether the next try must wait. */
export async function noteTrouble(
  tx: Tx,
  key: Work,
  { error, rests }: { error: string; rests: boolean },
): Promise<void> {
  await keepConnection(tx, key);
  await tx.query(
    `insert into ops.webhook_trouble as t (brand_id, connection_id, work, retry_after, error)
     values ($1, $2, $3, now() + case when $5 then ops.pause(1, '${REST_MAX}') else interval '0 s' end, $4)
     on conflict (brand_id, connection_id, work) do update
     set failures = t.failures + 1, error = excluded.error,
         retry_after = now() + case when $5 then ops.pause(t.failures + 1, '${REST_MAX}') else interval '0 s' end`,
    [...valuesOf(key), scrub(error), rests],
  );
}

/** Gives the number of the alert; undefined if it has not failed for long, or somebody was told. */
export async function raiseTrouble(tx: Tx, key: Work): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number }>(
    `with lasting as (
       select t.work, t.error, c.name, b.slug from ops.webhook_trouble t
       join app.connections c on (c.brand_id, c.id) = (t.brand_id, t.connection_id)
       join app.brands b on b.id = t.brand_id
       where t.brand_id = $1 and t.connection_id = $2 and t.work = $3 and t.alert_id is null
         and t.failing_since <= now() - interval '${TOLD_AFTER}'
     ), raised as (
       insert into ops.alerts (brand_id, connection_id, kind, promise, cause, hint, raised_at)
       select $1, $2, 'webhooks', left(format('deliveries of %s get on: %s', name, work), 200), error,
              case when work = 'relay' then format('npx nightshift connections webhooks relay %s --brand %s', name, slug)
                   else format('npx nightshift connections check %s --brand %s', name, slug) end, now()
       from lasting on conflict do nothing returning id)
     update ops.webhook_trouble set alert_id = raised.id from raised
     where brand_id = $1 and connection_id = $2 and work = $3 returning raised.id`,
    valuesOf(key),
  );
  return rows[0]?.id;
}

/** It succeeds again, or nobody wants it any more. Gives the number of the alert that is over. */
export async function endTrouble(tx: Tx, key: Work): Promise<number | undefined> {
  const { rows } = await tx.query<{ alert: number | null }>({ ...END }, valuesOf(key));
  const alert = rows[0]?.alert ?? undefined;
  if (alert !== undefined)
    await tx.query('update ops.alerts set resolved_at = now() where brand_id = $1 and id = $2', [
      key.brandId,
      alert,
    ]);
  return alert;
}

const END = {
  name: 'end trouble',
  text: `delete from ops.webhook_trouble where brand_id = $1 and connection_id = $2 and work = $3
         returning alert_id as alert`,
};

function valuesOf({ brandId, connectionId, work }: Work): [string, string, string] {
  return [brandId, connectionId, work];
}
