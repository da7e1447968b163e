/** Consumers of the customer, and the deliveries that they are to get. */
import { LOOPBACK } from '#runtime/addresses.ts';
import { coded } from '#runtime/errors.ts';
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey } from '../load/stream_key.ts';

const URL_CHARS_MAX = 2_000;
/** A consumer that has refused a delivery this often does not want it. */
const TRIES_MAX = 8;

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
  await tx.query(
    `update ops.webhook_deliveries set relay = null
     where brand_id = $1 and connection_id = $2 and relay = 'waiting'`,
    [brandId, connectionId],
  );
}

export async function relayOf(db: Reader, { brandId, connectionId }: ConnectionKey): Promise<string | null> {
  const { rows } = await db.query<{ url: string }>(
    'select url from app.webhook_relays where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
  return rows[0]?.url ?? null;
}

export type Relayed = { number: number; headers: Record<string, string>; body: Buffer };

/** Those with the fewest tries first, so that one that is refused keeps the others from nothing. */
export async function readUnrelayed(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
  max: number,
): Promise<Relayed[]> {
  const { rows } = await db.query<Relayed>(
    `select number, headers, body from ops.webhook_deliveries
     where brand_id = $1 and connection_id = $2 and relay = 'waiting' order by relay_tries, number limit $3`,
    [brandId, connectionId, max],
  );
  return rows;
}

/** `error`: why it did not get through; undefined if it did. `isFinal`: it is refused, not only late. */
export type RelayEnd = { number: number; error: string | undefined; isFinal: boolean };

/** Stores what became of some; returns whether others wait. */
export async function noteRelayed(tx: Tx, key: ConnectionKey, ends: readonly RelayEnd[]): Promise<boolean> {
  const { brandId, connectionId } = key;
  await tx.query(
    `update ops.webhook_deliveries d
     set relay_tries = d.relay_tries + 1, relay_error = e.error, relay = s.relay,
         body = case when s.relay = 'waiting' or d.rows_of is not null and d.loaded_at is null then d.body else '' end
     from unnest($3::bigint[], $4::text[], $5::boolean[]) as e (number, error, final), ops.webhook_deliveries o
     cross join lateral (
       select case when e.error is null then 'done'
                   when e.final and o.relay_tries + 1 >= ${TRIES_MAX} then 'refused' else 'waiting' end as relay) s
     where d.brand_id = $1 and d.connection_id = $2 and d.relay = 'waiting' and d.number = e.number
       and o.brand_id = $1 and o.connection_id = $2 and o.relay = 'waiting' and o.number = e.number`,
    [
      brandId,
      connectionId,
      ends.map(({ number }) => number),
      ends.map(({ error }) => (error === undefined ? null : scrub(error))),
      ends.map(({ isFinal }) => isFinal),
    ],
  );
  const { rows } = await tx.query(
    `select from ops.webhook_deliveries
     where brand_id = $1 and connection_id = $2 and relay = 'waiting' limit 1`,
    [brandId, connectionId],
  );
  return rows.length > 0;
}
