/** Stored deliveries, and the hints that they give. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { keepConnection } from '../load/load_lock.ts';
import type { ConnectionKey, StreamKey } from '../load/stream_key.ts';

/** A verified delivery, ready to store. */
export type NewDelivery = {
  id: string;
  /** What is signed of it, where the id is not. */
  signed?: string;
  topic: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  rowsOf: string | undefined;
  /** Whether the body is still to be read. One that nobody reads is not kept, because it names persons. */
  isWanted: boolean;
  /** `afterSeconds`: the provider lists the change only then. */
  hints: readonly { stream: string; id?: string; afterSeconds?: number }[];
};

/** Of what is signed, under however many ids, in a day. */
const SAME_MAX = 20;

const STORE = {
  name: 'store deliveries',
  text: `
    insert into ops.webhook_deliveries (brand_id, connection_id, delivery_id, topic, headers, body, rows_of, relay, body_digest)
    select $1, $2, d.id, d.topic, d.headers,
           case when d.wanted or r.relay is not null then substring($9::bytea from d.begins for d.bytes) else '' end,
           d.rows_of, r.relay, d.signed
    from unnest($3::text[], $4::text[], $5::jsonb[], $6::text[], $7::boolean[], $8::integer[], $10::integer[], $11::text[])
      as d (id, topic, headers, rows_of, wanted, bytes, begins, signed)
    left join (select 'waiting' as relay from app.webhook_relays
               where brand_id = $1 and connection_id = $2) r on true
    where d.signed is null or ${SAME_MAX} > (
      select count(*) from ops.webhook_deliveries o
      where o.brand_id = $1 and o.connection_id = $2 and o.body_digest = d.signed
        and o.received_at > now() - interval '1 day')
    on conflict do nothing
    returning delivery_id as id, relay is not null as relayed`,
};
/** Changes of a stream are read this far apart, and further if that takes long: it shares its lane and the rate limit. */
const APART_SECONDS = 3;
const APART_SECONDS_MAX = 60;
const APART_TIMES = 10;

const HINT = {
  name: 'store hints',
  text: `
    with made as (
      insert into ops.webhook_hints (brand_id, connection_id, stream, object_id, due_at)
      select $1, $2, h.stream, h.object_id,
             greatest(now() + make_interval(secs => max(h.after)), case when h.object_id is null then max(r.next_at) end)
      from unnest($3::text[], $4::text[], $5::float8[]) with ordinality as h (stream, object_id, after, place)
      left join ops.webhook_reads r on r.brand_id = $1 and r.connection_id = $2 and r.stream = h.stream
      group by h.stream, h.object_id order by min(h.place)
      returning stream, due_at)
    select stream, min(due_at) as due from made group by stream`,
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

/**
 * What is stored of some deliveries: the ids of those that were not there, whether they are to be relayed, and of each
 * stream when its first hint is due.
 */
export type Stored = { ids: ReadonlySet<string>; isRelayed: boolean; due: ReadonlyMap<string, Date> };

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
    deliveries.map(({ signed }) => signed ?? null),
  ]);
  const ids = new Set(rows.map(({ id }) => id));
  const left = new Set(ids);
  const fresh = deliveries.filter(({ id }) => left.delete(id)); // of two with one id the first
  const hints = fresh.flatMap((one) => one.hints);
  const due = new Map<string, Date>();
  if (hints.length > 0) {
    const { rows: made } = await tx.query<{ stream: string; due: Date }>({ ...HINT }, [
      brandId,
      connectionId,
      hints.map(({ stream }) => stream),
      hints.map(({ id }) => id ?? null),
      hints.map(({ afterSeconds = 0 }) => afterSeconds),
    ]);
    for (const one of made) due.set(one.stream, one.due);
  }
  return { ids, isRelayed: rows.some(({ relayed }) => relayed), due };
}

export type Hinted = {
  /** The objects to fetch. */
  ids: string[];
  /** Whether the stream should read its changes. */
  isWhole: boolean;
  /** The hints that say so. */
  numbers: number[];
};

/** Each says the same, and many come while a connection is held. */
const WHOLE_MAX = 100_000;

/** The oldest hints of a stream that are due: of objects up to a number, and all that want its changes read. */
export async function readHints(
  db: Reader,
  { brandId, connectionId, stream }: StreamKey,
  max: number,
): Promise<Hinted> {
  const { rows } = await db.query<{ ids: string[]; whole: number[]; numbers: number[] }>(
    `with due as (
       select object_id, number from ops.webhook_hints
       where brand_id = $1 and connection_id = $2 and stream = $3 and due_at <= now() order by number),
     objects as (select * from due where object_id is not null order by number limit $4),
     whole as (select * from due where object_id is null order by number limit ${WHOLE_MAX})
     select array(select object_id from objects group by object_id order by min(number)) as ids,
            array(select number from objects order by number) as numbers,
            array(select number from whole order by number) as whole`,
    [brandId, connectionId, stream, max],
  );
  const { ids = [], whole = [], numbers = [] } = rows[0] ?? {};
  return { ids, isWhole: whole.length > 0, numbers: [...numbers, ...whole] };
}

/**
 * Deletes the hints that were followed; returns when the next is due. One that commits late has a lower number. `readMs`:
 * how long it took to read the changes of the stream, if they were: who wants them read again waits.
 */
export async function forgetHints(
  tx: Tx,
  { brandId, connectionId, stream }: StreamKey,
  { numbers, readMs }: { numbers: readonly number[]; readMs: number | undefined },
): Promise<Date | undefined> {
  const key = [brandId, connectionId, stream];
  await tx.query(
    `delete from ops.webhook_hints
     where brand_id = $1 and connection_id = $2 and stream = $3 and number = any ($4::bigint[])`,
    [...key, numbers],
  );
  if (readMs !== undefined) {
    const apart = Math.min(Math.max(APART_SECONDS, (APART_TIMES * readMs) / 1_000), APART_SECONDS_MAX);
    await tx.query(
      `insert into ops.webhook_reads (brand_id, connection_id, stream, next_at)
       values ($1, $2, $3, now() + make_interval(secs => $4))
       on conflict (brand_id, connection_id, stream) do update set next_at = excluded.next_at`,
      [...key, apart],
    );
    await tx.query(
      `update ops.webhook_hints set due_at = now() + make_interval(secs => $4)
       where brand_id = $1 and connection_id = $2 and stream = $3 and object_id is null
         and due_at < now() + make_interval(secs => $4)`,
      [...key, apart],
    );
  }
  const { rows } = await tx.query<{ due: Date | null }>(
    `select min(due_at) as due from ops.webhook_hints
     where brand_id = $1 and connection_id = $2 and stream = $3`,
    key,
  );
  return rows[0]?.due ?? undefined;
}

/** Deliveries whose rows are still to be loaded, oldest first, and at least one if there is one. */
export async function readUnloaded(
  db: Reader,
  { brandId, connectionId, stream }: StreamKey,
  { max, bytesMax }: { max: number; bytesMax: number },
): Promise<{ number: number; body: Buffer }[]> {
  const { rows } = await db.query<{ number: number; body: Buffer }>(
    `select number, body
     from (select number, body, sum(length(body)) over (order by number) - length(body) as before
           from (select number, body from ops.webhook_deliveries
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
