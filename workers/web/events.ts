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
import type { Db, Tx } from '#sql/db/pool.ts';
import { type Event, type Rules, readEvent, saidOf } from '#sql/events/event.ts';
import { senderOf } from '#sql/events/keys.ts';
import { tryShareEvents } from '#sql/events/lock.ts';
import { batchOf, makeMonths, monthsOf, openEvents, type Stored, storeEvents } from '#sql/events/store.ts';
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
/** What all names of no sender together are called; no brand has this name. */
const STRANGERS = 'events of nobody';
/** A removed key is believed for so long. */
const KNOWN_MS = 2_000;
/** A signature that does not fit makes it look again after this time: the key may be new. */
const DOUBTED_MS = 1_000;
/** Names of no sender are remembered too, and asked for so often: who makes them up costs no more. */
const KNOWN_MAX = 10_000;
const STRANGERS_PER_SECOND = 20;
const STRANGERS_AT_ONCE = 100;
const PER_SECOND = 50;
const AT_ONCE = 200;
/** Each holds a session of the database while it stores. */
const STORING_MAX = 4;
const STORING_OF_ONE_MAX = 2;
const RETRY_AFTER = { 'retry-after': '5' };
const LATER = { status: 503, headers: RETRY_AFTER };
const NO_PARTITION = '23514';

type Sender = { brandId: string; secrets: readonly string[] } | undefined;
type Known = { sender: Promise<Sender>; at: number; isSender: boolean };
type Request = Context<{ Bindings: HttpBindings }>;
type Answer = { status: number; body?: object; headers?: Record<string, string> };

export type EventDoor = { db: Db; sealer: Sealer; readBody: BodyReader; log: Log };

export function eventHandler(door: EventDoor): (context: Request) => Promise<Response> {
  const find = makeSenders(door);
  const store = makeStore(door);
  const buckets = new Map<string, Bucket>();
  const storing = new Map<string, number>();
  let all = 0;
  return async (context) => {
    const slug = context.req.param('brand') ?? '';
    if (!SLUG.test(slug)) return new Response(null, { status: 404 });
    const answered = await take(slug, context).catch((error: unknown): Answer => {
      door.log.warn({ brand: slug, reason: messageOf(error) }, 'events could not be stored');
      return LATER;
    });
    const { status, body, headers } = answered;
    return body === undefined
      ? new Response(null, { status, ...(headers && { headers }) })
      : Response.json(body, { status });
  };

  /** Who guesses a brand learns nothing: of an unknown one the body is read too, and its signature is wrong. */
  async function take(slug: string, { env, req }: Request): Promise<Answer> {
    const at = req.header('nightshift-timestamp') ?? '';
    const signature = req.header('nightshift-signature') ?? '';
    if (!isOfNow(at) || !SIGNATURE.test(signature)) return { status: 401 };
    const read = await door.readBody(
      env.incoming,
      BYTES_MAX,
      typeof (await find(slug)) === 'object' ? slug : STRANGERS,
    );
    if (typeof read === 'string') return BODY_ANSWERS[read];
    using held = read;
    for (const isDoubted of [false, true]) {
      const sender = await find(slug, isDoubted);
      if (sender === 'later') return LATER;
      if (sender && isSigned(`${at}.${slug}.`, held.body, signature, sender.secrets))
        return storeOf(sender.brandId, held.body);
    }
    return { status: 401 };
  }

  /** Only brands with keys come here, so there are no more buckets than these. */
  async function storeOf(brandId: string, body: Buffer): Promise<Answer> {
    const bucket = buckets.get(brandId) ?? makeBucket(PER_SECOND, AT_ONCE);
    buckets.set(brandId, bucket);
    if (!bucket.take()) return { status: 429, headers: RETRY_AFTER };
    const ofOne = storing.get(brandId) ?? 0;
    if (all >= STORING_MAX || ofOne >= STORING_OF_ONE_MAX) return LATER;
    all += 1;
    storing.set(brandId, ofOne + 1);
    try {
      return await store(brandId, body);
    } finally {
      all -= 1;
      storing.set(brandId, (storing.get(brandId) ?? 1) - 1);
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
function makeSenders({
  db,
  sealer,
}: EventDoor): (slug: string, isDoubted?: boolean) => Promise<Sender | 'later'> {
  const known = new Map<string, Known>();
  const strangers = makeBucket(STRANGERS_PER_SECOND, STRANGERS_AT_ONCE);
  return async (slug, isDoubted = false) => {
    const before = known.get(slug);
    const now = performance.now();
    if (before && now - before.at < (isDoubted ? DOUBTED_MS : KNOWN_MS)) return before.sender;
    if (!before?.isSender && !strangers.take()) return 'later';
    const found: Known = { sender: senderOf(db, sealer, slug), at: now, isSender: before?.isSender ?? false };
    known.delete(slug); // to the end, as the newest
    known.set(slug, found);
    for (const [oldest] of known) {
      if (known.size <= KNOWN_MAX) break;
      known.delete(oldest);
    }
    try {
      const sender = await found.sender;
      found.isSender = sender !== undefined;
      return sender;
    } catch (error) {
      if (known.get(slug) === found) known.delete(slug);
      throw error;
    }
  };
}

function isOfNow(at: string): boolean {
  return SECONDS.test(at) && Math.abs(Date.now() / 1000 - Number(at)) <= APART_SECONDS_MAX;
}

function isSigned(prefix: string, body: Buffer, signature: string, secrets: readonly string[]): boolean {
  const given = Buffer.from(signature, 'hex');
  return secrets
    .map((secret) =>
      timingSafeEqual(createHmac('sha256', secret).update(prefix).update(body).digest(), given),
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

type Attempt = { faults: string[] } | { missing: Event[] } | Stored | 'busy';

/** Months that were made once are remembered, so nearly each request needs one session only. */
function makeStore({ db, sealer }: EventDoor): (brandId: string, body: Buffer) => Promise<Answer> {
  const months = new Set<string>();
  return async (brandId, body) => {
    const text = textOf(body);
    if (text === undefined) return refused(['the body is not UTF-8']);
    const records = recordsOf(text);
    if (records === undefined) return refused(['the body is neither a list in JSON nor one event a line']);
    if (records.length > EVENTS_MAX) return refused([`there are more than ${EVENTS_MAX} events`]);
    let done = await attempt(brandId, records);
    if (done !== 'busy' && 'missing' in done) {
      await makeMonths(db, done.missing, months);
      done = await attempt(brandId, records);
    }
    if (done === 'busy' || 'missing' in done) return LATER;
    if ('faults' in done) return refused(done.faults);
    const conflicts = done.conflicts.slice(0, FAULTS_MAX).map(({ id }) => id);
    return { status: 200, body: { ...done, conflicts } };
  };

  async function attempt(brandId: string, records: Records): Promise<Attempt> {
    try {
      return await db.transaction((tx) => storeOnce(tx, brandId, records));
    } catch (error) {
      if ((error as { code?: unknown }).code === NO_PARTITION) months.clear(); // one was dropped meanwhile
      throw error;
    }
  }

  async function storeOnce(tx: Tx, brandId: string, records: Records): Promise<Attempt> {
    if (!(await tryShareEvents(tx, brandId))) return 'busy';
    const storing = await openEvents(tx, sealer, brandId, new Date());
    const { events, faults } = eventsOf(records, storing);
    if (faults.length > 0) return { faults };
    if (monthsOf(events).difference(months).size > 0) return { missing: events };
    const done = await storeEvents(tx, storing, batchOf(storing, events));
    if (done.stored > 0)
      await enqueue(tx, rollup, { brandId, retailerId: null }, { delaySeconds: SOON_SECONDS });
    return done;
  }
}

function eventsOf(records: Records, rules: Rules): { events: Event[]; faults: string[] } {
  const [events, faults]: [Event[], string[]] = [[], []];
  for (const { where, record, isBroken } of records) {
    const event = isBroken ? [{ field: '', message: 'is not JSON' }] : readEvent(record, rules);
    if (Array.isArray(event)) faults.push(...event.map((fault) => saidOf(where, fault)));
    else events.push(event);
  }
  return { events, faults };
}
