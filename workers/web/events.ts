/**
 * The door for events of a brand's own senders: POST /events/<brand>, signed. The raw bytes are verified before anything of
 * them is read, and a request is stored whole or not at all. It may be sent again until it is answered: an event is stored
 * once by its id, so a repeated or replayed request changes nothing.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { messageOf } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { Db } from '#sql/db/pool.ts';
import { type Event, readEvent, saidOf } from '#sql/events/event.ts';
import { senderOf } from '#sql/events/keys.ts';
import { makeMonths, openEvents, type Stored, storeEvents } from '#sql/events/store.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { enqueue, SOON_SECONDS } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import type { BodyReader } from './body.ts';
import { type Bucket, makeBucket } from './bucket.ts';

const BYTES_MAX = 4 * 1024 * 1024;
const EVENTS_MAX = 5_000;
const FAULTS_MAX = 20;
/** Between the clocks of both sides, either way. */
const APART_SECONDS_MAX = 300;
const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;
const SECONDS = /^\d{1,12}$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
/** A removed key is believed for so long. */
const KNOWN_MS = 5_000;
/** A signature that does not fit makes it look again after this time: the key may be new. */
const DOUBTED_MS = 1_000;
const KNOWN_MAX = 10_000;
const PER_SECOND = 50;
const AT_ONCE = 200;
/** Each holds a session of the database while it stores. */
const STORING_MAX = 4;
const RETRY_AFTER = { 'retry-after': '5' };

type Sender = { brandId: string; secrets: readonly string[] } | undefined;
type Known = { sender: Promise<Sender>; at: number; bucket: Bucket };
type Request = Context<{ Bindings: HttpBindings }>;
type Answer = { status: number; body?: object; headers?: Record<string, string> };

export type EventDoor = { db: Db; sealer: Sealer; readBody: BodyReader; log: Log };

export function eventHandler(door: EventDoor): (context: Request) => Promise<Response> {
  const find = makeSenders(door);
  let storing = 0;
  return async (context) => {
    const slug = context.req.param('brand') ?? '';
    if (!SLUG.test(slug)) return new Response(null, { status: 404 });
    const answered = await take(slug, context).catch((error: unknown): Answer => {
      door.log.warn({ brand: slug, reason: messageOf(error) }, 'events could not be stored');
      return { status: 503, headers: RETRY_AFTER };
    });
    const { status, body, headers } = answered;
    return body === undefined
      ? new Response(null, { status, ...(headers && { headers }) })
      : Response.json(body, { status });
  };

  /** Who guesses a brand learns nothing: an unknown one answers as if the signature were wrong. */
  async function take(slug: string, { env, req }: Request): Promise<Answer> {
    const { sender, bucket } = find(slug);
    if ((await sender) === undefined && (await find(slug, true).sender) === undefined) return { status: 401 };
    const read = await door.readBody(env.incoming, BYTES_MAX, slug);
    if (typeof read === 'string') return BODY_ANSWERS[read];
    using held = read;
    const signed = {
      at: req.header('nightshift-timestamp') ?? '',
      signature: req.header('nightshift-signature') ?? '',
      body: held.body,
    };
    const signer = [await sender, await find(slug, true).sender].find(
      (one) => one && isSigned(signed, one.secrets),
    );
    if (signer === undefined) return { status: 401 };
    if (!bucket.take()) return { status: 429, headers: RETRY_AFTER };
    if (storing >= STORING_MAX) return { status: 503, headers: RETRY_AFTER };
    storing += 1;
    try {
      return await store(door, signer.brandId, held.body);
    } finally {
      storing -= 1;
    }
  }
}

const BODY_ANSWERS = {
  too_large: { status: 413, headers: { connection: 'close' } },
  too_slow: { status: 408, headers: { connection: 'close' } },
  cut_off: { status: 400, headers: { connection: 'close' } },
  busy: { status: 503, headers: RETRY_AFTER },
} as const;

/** Brands with keys, remembered for some seconds, as are names of none. */
function makeSenders({ db, sealer }: EventDoor): (slug: string, isDoubted?: boolean) => Known {
  const known = new Map<string, Known>();
  return (slug, isDoubted = false) => {
    const before = known.get(slug);
    const now = performance.now();
    if (before && now - before.at < (isDoubted ? DOUBTED_MS : KNOWN_MS)) return before;
    const sender = senderOf(db, sealer, slug);
    sender.catch(() => known.delete(slug));
    const found = { sender, at: now, bucket: before?.bucket ?? makeBucket(PER_SECOND, AT_ONCE) };
    known.delete(slug); // to the end, as the newest
    known.set(slug, found);
    for (const [oldest] of known) {
      if (known.size <= KNOWN_MAX) break;
      known.delete(oldest);
    }
    return found;
  };
}

function isSigned(
  { at, signature, body }: { at: string; signature: string; body: Buffer },
  secrets: readonly string[],
): boolean {
  if (!SECONDS.test(at) || !SIGNATURE.test(signature)) return false;
  if (Math.abs(Date.now() / 1000 - Number(at)) > APART_SECONDS_MAX) return false;
  const given = Buffer.from(signature, 'hex');
  return secrets
    .map((secret) =>
      timingSafeEqual(createHmac('sha256', secret).update(`${at}.`).update(body).digest(), given),
    )
    .includes(true);
}

type Records = { where: string; record?: unknown; isBroken?: boolean }[];

function textOf(body: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body).trim();
  } catch {
    return undefined;
  }
}

/** A list, or a line for each; undefined if it is neither. */
function recordsOf(text: string): Records | undefined {
  if (!text.startsWith('['))
    return text
      .split('\n')
      .map((line, at) => ({ where: `line ${at + 1}`, line }))
      .filter(({ line }) => line.trim() !== '')
      .map(({ where, line }) => ({ where, ...parsed(line) }));
  const { record } = parsed(text);
  return Array.isArray(record)
    ? record.map((one, at) => ({ where: `event ${at + 1}`, record: one }))
    : undefined;
}

function parsed(text: string): { record?: unknown; isBroken?: boolean } {
  try {
    return { record: JSON.parse(text) };
  } catch {
    return { isBroken: true };
  }
}

const refused = (faults: readonly string[]): Answer => ({
  status: 422,
  body: { faults: faults.slice(0, FAULTS_MAX), count: faults.length },
});

async function store({ db, sealer }: EventDoor, brandId: string, body: Buffer): Promise<Answer> {
  const text = textOf(body);
  if (text === undefined) return refused(['the body is not UTF-8']);
  const records = recordsOf(text);
  if (records === undefined) return refused(['the body is neither a list in JSON nor one event a line']);
  if (records.length > EVENTS_MAX) return refused([`there are more than ${EVENTS_MAX} events`]);
  const faults: string[] = [];
  const stored = await db.transaction(async (tx): Promise<Stored | undefined> => {
    const storing = await openEvents(tx, sealer, brandId, new Date());
    const events: Event[] = [];
    for (const { where, record, isBroken } of records) {
      const event = isBroken ? [{ field: '', message: 'is not JSON' }] : readEvent(record, storing);
      if (Array.isArray(event)) faults.push(...event.map((fault) => saidOf(where, fault)));
      else events.push(event);
    }
    if (faults.length > 0) return undefined;
    await makeMonths(db, events, new Set());
    const done = await storeEvents(tx, storing, events);
    if (done.stored > 0)
      await enqueue(tx, rollup, { brandId, retailerId: null }, { delaySeconds: SOON_SECONDS });
    return done;
  });
  if (stored === undefined) return refused(faults);
  const conflicts = stored.conflicts.slice(0, FAULTS_MAX).map(({ id }) => id);
  return { status: 200, body: { ...stored, conflicts } };
}
