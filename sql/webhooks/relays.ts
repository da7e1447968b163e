/** Consumers of the customer, and the deliveries that they are to get. */
import { LOOPBACK } from '#runtime/addresses.ts';
import { coded } from '#runtime/errors.ts';
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

const URL_CHARS_MAX = 2_000;
/** Tries of one delivery come further and further apart. */
const APART_MAX = '1 hour';
/** A consumer that has refused a delivery for so long does not want it: by time, because a mistake there lasts a while. */
const REFUSED_FOR = '3 days';
/** Nobody waits longer for a delivery. */
const WAITS_MAX = '7 days';

export class RelayRefused extends coded('NS_RELAY_REFUSED') {
  constructor(host: string) {
    super(`Deliveries are not relayed to ${host}: they contain personal data.`, {
      hint: 'Use https, and list its host in NIGHTSHIFT_ALLOWED_HOSTS of the workers.',
      context: { host },
    });
  }
}

/** Only hosts that the operator lists, and loopback: an address must not lead into a network that only we can reach. */
export function checkedRelay(address: string, allowedHosts: readonly string[]): string {
  if (address.length > URL_CHARS_MAX || !URL.canParse(address)) throw new RelayRefused('the given text');
  const url = new URL(address);
  const { protocol, hostname, host, username, password } = url;
  const isLocal = LOOPBACK.test(hostname) && (protocol === 'http:' || protocol === 'https:');
  const isListed = protocol === 'https:' && (allowedHosts.includes(hostname) || allowedHosts.includes(host));
  if (!(isLocal || isListed) || username !== '' || password !== '') throw new RelayRefused(host);
  return url.href;
}

/** Sets the address, or takes it away with what waits for it. */
export async function setRelay(tx: Tx, key: ConnectionKey, url: string | null): Promise<void> {
  await keepConnection(tx, key);
  const { brandId, connectionId } = key;
  if (url !== null) {
    await tx.query(
      `insert into app.webhook_relays (brand_id, connection_id, url) values ($1, $2, $3)
       on conflict (brand_id, connection_id) do update set url = excluded.url, added_at = now()`,
      [brandId, connectionId, url],
    );
    return;
  }
  await tx.query('delete from app.webhook_relays where brand_id = $1 and connection_id = $2', [
    brandId,
    connectionId,
  ]);
}

export async function relayOf(db: Reader, { brandId, connectionId }: ConnectionKey): Promise<string | null> {
  const { rows } = await db.query<{ url: string }>(
    'select url from app.webhook_relays where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
  return rows[0]?.url ?? null;
}

/** Forgets some that wait for nobody; returns whether others are left. */
export async function dropUnrelayed(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  max: number,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update ops.webhook_deliveries d
     set relay = null, body = case when rows_of is not null and loaded_at is null then body else '' end
     where brand_id = $1 and connection_id = $2 and relay = 'waiting' and number in (
       select number from ops.webhook_deliveries
       where brand_id = $1 and connection_id = $2 and relay = 'waiting' order by relay_due_at, number limit $3)`,
    [brandId, connectionId, max],
  );
  return (rowCount ?? 0) >= max;
}

export type Relayed = { number: number; headers: Record<string, string>; body: Buffer };

/** Those that are due, and at least one of them. One that failed is due later, so it keeps the others from nothing. */
export async function readUnrelayed(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  { max, bytesMax }: { max: number; bytesMax: number },
): Promise<Relayed[]> {
  const { rows } = await db.query<Relayed>(
    `select number, headers, body
     from (select number, headers, body, relay_due_at,
                  sum(length(body)) over (order by relay_due_at, number) - length(body) as before
           from (select number, headers, body, relay_due_at from ops.webhook_deliveries
                 where brand_id = $1 and connection_id = $2 and relay = 'waiting' and relay_due_at <= now()
                 order by relay_due_at, number limit $3) due) summed
     where before < $4 order by relay_due_at, number`,
    [brandId, connectionId, max, bytesMax],
  );
  return rows;
}

/** `error`: why it did not get through. `isRefused`: the consumer has answered that it does not want it. */
export type RelayEnd = { number: number; error?: string; isRefused?: boolean };

/** Stores what became of some; returns when the next of the others is due. */
export async function noteRelayed(
  tx: Tx,
  key: ConnectionKey,
  ends: readonly RelayEnd[],
): Promise<Date | undefined> {
  const { brandId, connectionId } = key;
  await tx.query(
    `update ops.webhook_deliveries d
     set relay_tries = d.relay_tries + 1, relay_error = e.error, relay = s.relay, relay_refused_since = s.refused_since,
         relay_due_at = now() + least(interval '30 s' * power(2, least(d.relay_tries, 10)), interval '${APART_MAX}'),
         body = case when s.relay = 'waiting' or d.rows_of is not null and d.loaded_at is null then d.body else '' end
     from unnest($3::bigint[], $4::text[], $5::boolean[]) as e (number, error, refused), ops.webhook_deliveries o
     cross join lateral (
       select case when e.refused then coalesce(o.relay_refused_since, now()) else o.relay_refused_since end as refused_since
     ) r
     cross join lateral (
       select r.refused_since,
              case when e.error is null then 'done'
                   when e.refused and r.refused_since <= now() - interval '${REFUSED_FOR}' then 'refused'
                   when o.received_at <= now() - interval '${WAITS_MAX}' then 'expired' else 'waiting' end as relay) s
     where d.brand_id = $1 and d.connection_id = $2 and d.relay = 'waiting' and d.number = e.number
       and o.brand_id = $1 and o.connection_id = $2 and o.relay = 'waiting' and o.number = e.number`,
    [
      brandId,
      connectionId,
      ends.map(({ number }) => number),
      ends.map(({ error }) => (error === undefined ? null : scrub(error))),
      ends.map(({ isRefused = false }) => isRefused),
    ],
  );
  const { rows } = await tx.query<{ due: Date }>(
    `select relay_due_at as due from ops.webhook_deliveries
     where brand_id = $1 and connection_id = $2 and relay = 'waiting' order by relay_due_at, number limit 1`,
    [brandId, connectionId],
  );
  return rows[0]?.due;
}

export type RelayState = {
  to: string | null;
  waiting: number;
  waits_since: Date | null;
  /** Of those that are still kept. */
  given_up: number;
  failing_since: Date | null;
  failures: number;
  retry_after: Date | null;
  error: string | null;
};

/** How the relay of a connection gets on. */
export async function relayState(db: Reader, { brandId, connectionId }: ConnectionKey): Promise<RelayState> {
  const { rows } = await db.query<RelayState>(
    `select r.url as to, d.waiting, d.waits_since, d.given_up, t.failing_since, coalesce(t.failures, 0) as failures,
            t.retry_after, t.error
     from (select count(*) filter (where relay = 'waiting') as waiting,
                  min(received_at) filter (where relay = 'waiting') as waits_since,
                  count(*) filter (where relay in ('refused', 'expired')) as given_up
           from ops.webhook_deliveries where brand_id = $1 and connection_id = $2) d
     left join app.webhook_relays r on r.brand_id = $1 and r.connection_id = $2
     left join ops.webhook_trouble t on t.brand_id = $1 and t.connection_id = $2 and t.work = 'relay'`,
    [brandId, connectionId],
  );
  const [state] = rows;
  if (state === undefined) throw new TypeError('an aggregate gives a row');
  return state;
}
