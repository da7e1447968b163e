/** Stored deliveries, and the hints that they give. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey, StreamKey } from '../load/stream_key.ts';
import { type PrivacyRequest, storePrivacyRequests } from './privacy.ts';

/** A verified delivery, ready to store. */
export type NewDelivery = {
  id: string;
  topic: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  rowsOf: string | undefined;
  /** Whether the body is still to be read. One that nobody reads is not kept, because it names persons. */
  isWanted: boolean;
  hints: readonly { stream: string; id?: string }[];
  privacy?: PrivacyRequest | undefined;
};

const STORE = {
  name: 'store deliveries',
  text: `
    insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body, rows_of, relay)
    select $1, $2, d.id, d.topic, d.headers,
           case when d.wanted or r.relay is not null then substring($9::bytea from d.begins for d.bytes) else '' end,
           d.rows_of, r.relay
    from unnest($3::text[], $4::text[], $5::jsonb[], $6::text[], $7::boolean[], $8::integer[], $10::integer[])
      as d (id, topic, headers, rows_of, wanted, bytes, begins)
    left join (select 'waiting' as relay from app.webhook_relays
               where brand_id = $1 and connection_id = $2) r on true
    on conflict do nothing
    returning delivery_id as id, relay is not null as relayed`,
};
const HINT = {
  name: 'store hints',
  text: `
    insert into ops.webhook_hints (brand_id, connection_id, stream, object_id)
    select $1, $2, h.stream, h.object_id from unnest($3::text[], $4::text[]) as h (stream, object_id)`,
};

/** Where each body begins, counted from 1. */
function beginsOf(deliveries: readonly NewDelivery[]): number[] {
  let next = 1;
  return deliveries.map(({ body }) => {
    const begins = next;
    next += body.length;
    return begins;
  });
}

/** What is stored of some deliveries: the ids of those that were not there, and whether they are to be relayed. */
export type Stored = { ids: ReadonlySet<string>; isRelayed: boolean };

/** Stores those that are new, with their hints. */
export async function storeDeliveries(
  tx: Tx,
  key: ConnectionKey,
  deliveries: readonly NewDelivery[],
): Promise<Stored> {
  await keepConnection(tx, key);
  const { brandId, connectionId } = key;
  const { rows } = await tx.query<{ id: string; relayed: boolean }>({ ...STORE }, [
    brandId,
    connectionId,
    deliveries.map(({ id }) => id),
    deliveries.map(({ topic }) => topic),
    deliveries.map(({ headers }) => JSON.stringify(headers)),
    deliveries.map(({ rowsOf }) => rowsOf ?? null),
    deliveries.map(({ isWanted }) => isWanted),
    deliveries.map(({ body }) => body.length),
    // One after the other, because pg writes bytes in a list as text, twice as long.
    Buffer.concat(deliveries.map(({ body }) => body)),
    beginsOf(deliveries),
  ]);
  const ids = new Set(rows.map(({ id }) => id));
  const fresh = deliveries.filter(({ id }) => ids.has(id));
  const hints = fresh.flatMap((one) => one.hints);
  if (hints.length > 0)
    await tx.query({ ...HINT }, [
      brandId,
      connectionId,
      hints.map(({ stream }) => stream),
      hints.map(({ id }) => id ?? null),
    ]);
  await storePrivacyRequests(
    tx,
    key,
    fresh.flatMap(({ privacy }) => privacy ?? []),
  );
  return { ids, isRelayed: rows.some(({ relayed }) => relayed) };
}

export type Hinted = {
  /** The objects to fetch. */
  ids: string[];
  /** Whether the stream should read its changes. */
  isWhole: boolean;
  /** The hints that say so. */
  numbers: number[];
};

/** The oldest hints of a stream, up to a number. */
export async function readHints(
  db: Reader,
  { brandId, connectionId, stream }: StreamKey,
  max: number,
): Promise<Hinted> {
  const { rows } = await db.query<{ id: string | null; number: number }>(
    `select object_id as id, number from ops.webhook_hints
     where brand_id = $1 and connection_id = $2 and stream = $3 order by number limit $4`,
    [brandId, connectionId, stream, max],
  );
  return {
    ids: [...new Set(rows.flatMap(({ id }) => id ?? []))],
    isWhole: rows.some(({ id }) => id === null),
    numbers: rows.map(({ number }) => number),
  };
}

/** Deletes the hints that were followed; returns whether others are left. One that commits late has a lower number. */
export async function forgetHints(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  numbers: readonly number[],
): Promise<boolean> {
  const key = [brandId, connectionId, stream];
  await tx.query(
    `delete from ops.webhook_hints
     where brand_id = $1 and connection_id = $2 and stream = $3 and number = any ($4::bigint[])`,
    [...key, numbers],
  );
  const { rows } = await tx.query(
    'select from ops.webhook_hints where brand_id = $1 and connection_id = $2 and stream = $3 limit 1',
    key,
  );
  return rows.length > 0;
}

/** Deliveries whose rows are still to be loaded, oldest first, and at least one if there is one. */
export async function readUnloaded(
  db: Reader,
  { brandId, connectionId, stream }: StreamKey,
  { max, bytesMax }: { max: number; bytesMax: number },
): Promise<{ number: number; body: Buffer; receivedAt: Date }[]> {
  const { rows } = await db.query<{ number: number; body: Buffer; receivedAt: Date }>(
    `select number, body, received_at as "receivedAt"
     from (select number, body, received_at, sum(length(body)) over (order by number) - length(body) as before
           from (select number, body, received_at from ops.webhook_deliveries
                 where brand_id = $1 and connection_id = $2 and rows_of = $3 and loaded_at is null
                 order by number limit $4) oldest) summed
     where before < $5 order by number`,
    [brandId, connectionId, stream, max, bytesMax],
  );
  return rows;
}

/** Returns whether others are left. */
export async function noteLoaded(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  numbers: readonly number[],
): Promise<boolean> {
  const key = [brandId, connectionId, stream];
  await tx.query(
    `update ops.webhook_deliveries set loaded_at = clock_timestamp(),
       body = case when relay = 'waiting' then body else '' end
     where brand_id = $1 and connection_id = $2 and rows_of = $3 and loaded_at is null and number = any ($4::bigint[])`,
    [...key, numbers],
  );
  const { rows } = await tx.query(
    `select from ops.webhook_deliveries
     where brand_id = $1 and connection_id = $2 and rows_of = $3 and loaded_at is null limit 1`,
    key,
  );
  return rows.length > 0;
}
