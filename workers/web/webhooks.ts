/**
 * The door for deliveries of providers, the only one at which strangers can knock: POST /webhooks/<provider>/<id of the
 * connection>. The raw bytes are verified before anything of them is read; what is verified is stored for good before
 * it is answered with 200, once, however often it comes.
 */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Delivery, Told } from '#connectors/kit/webhook.ts';
import { digestOf } from '#connectors/kit/webhook.ts';
import type { ProviderSet } from '#connectors/providers.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import type { BodyFault, BodyReader } from './body.ts';
import type { Inbox } from './inbox.ts';
import { type Address, type Delivering, isDelivering, type Known, type Receivers } from './receivers.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ID_CHARS_MAX = 255;
const REQUESTS_AT_ONCE_MAX = 512;
/** Of one connection, so that it leaves the others room. */
const OF_ONE_MAX = 128;
/** `doctor` names these, and there is an index of them. */
const UNREADABLE = 'unreadable';
const RETRY_AFTER_SECONDS = '5';

/** `foreign`: it says that it is of another account than the connection. */
export type Outcome =
  | BodyFault
  | 'stored'
  | 'duplicate'
  | 'foreign'
  | 'unsigned'
  | 'unknown'
  | 'limited'
  | 'failed';

const STATUS = {
  ...{
    stored: 200,
    duplicate: 200,
    foreign: 200,
    unsigned: 401,
    unknown: 401, // as if the signature were wrong: who guesses an address learns nothing
    too_slow: 408,
    too_large: 413,
    limited: 429,
  },
  ...{ cut_off: 400, failed: 503, busy: 503 },
} as const satisfies Record<Outcome, number>;

export type Door = {
  providers: ProviderSet;
  receivers: Receivers;
  inbox: Inbox;
  readBody: BodyReader;
  log: Log;
  count(provider: string, outcome: Outcome, seconds: number): void;
};

type Request = Context<{ Bindings: HttpBindings }>;

export function webhookHandler(door: Door): (context: Request) => Promise<Response> {
  const byName = new Map(
    door.providers.providers.flatMap((one) => (isDelivering(one) ? [[one.name, one]] : [])),
  );
  let atOnce = 0;
  const atOnceOf = new Map<string, number>();
  return async (context) => {
    const provider = byName.get(context.req.param('provider') ?? '');
    const connectionId = context.req.param('connection') ?? '';
    if (provider === undefined || !UUID.test(connectionId)) return new Response(null, { status: 404 });
    const begunAt = performance.now();
    let outcome: Outcome = 'busy';
    const ofOne = atOnceOf.get(connectionId) ?? 0;
    if (atOnce < REQUESTS_AT_ONCE_MAX && ofOne < OF_ONE_MAX) {
      atOnce++;
      atOnceOf.set(connectionId, ofOne + 1);
      outcome = await take(door, { provider, connectionId }, context).catch((error: unknown) => {
        if (isGone(error)) return 'unknown';
        door.log.warn(
          { provider: provider.name, reason: messageOf(error) },
          'a delivery could not be stored',
        );
        return 'failed';
      });
      atOnce--;
      const left = (atOnceOf.get(connectionId) ?? 1) - 1;
      if (left > 0) atOnceOf.set(connectionId, left);
      else atOnceOf.delete(connectionId);
    }
    door.count(provider.name, outcome, (performance.now() - begunAt) / 1000);
    return answer(outcome);
  };
}

async function take(door: Door, address: Address, context: Request): Promise<Outcome> {
  const { receivers, bucket } = await door.receivers.find(address);
  if (!receivers.some(({ secrets }) => secrets.length > 0)) return 'unknown';
  const { provider } = address;
  const read = await door.readBody(context.env.incoming, provider.webhook.bytesMax, address.connectionId);
  if (typeof read === 'string') return read;
  using held = read;
  const delivery = { headers: headersOf(context), body: held.body };
  const signer =
    signerIn(receivers, provider, delivery) ??
    signerIn((await door.receivers.find(address, true)).receivers, provider, delivery);
  if (signer === undefined) return 'unsigned';
  if (!bucket.take()) return 'limited';
  const told = readTold(door, address, delivery);
  const isForeign = told.account !== undefined && !isSameAccount(told.account, signer.account);
  if (!isForeign) return put(door, provider, [signer], told, delivery);
  // Of a change of another account there is nothing to read here.
  if (told.privacy === undefined) return 'foreign';
  const others = await door.receivers.findAccount(provider, told.account ?? '');
  const owners = others.filter((other) => signerIn([other], provider, delivery) !== undefined);
  return put(door, provider, owners.length > 0 ? owners : [signer], told, delivery);
}

/** Whose secret has signed it. Asked again, because the secrets may have changed a moment ago. */
function signerIn(
  receivers: readonly Known[],
  { webhook }: Delivering,
  delivery: Delivery,
): Known | undefined {
  const now = new Date();
  return receivers.find(({ secrets }) => webhook.isSigned(delivery, secrets, now));
}

function isSameAccount(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Stored once it is stored for all; new if it is for one. */
async function put(
  door: Door,
  { webhook, streams }: Delivering,
  owners: readonly ConnectionKey[],
  told: Told,
  { headers, body }: Delivery,
): Promise<Outcome> {
  const kept = Object.fromEntries(
    ['content-type', ...webhook.headers].flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])),
  );
  const id = told.id.length > ID_CHARS_MAX ? digestOf({ headers, body: Buffer.from(told.id) }) : told.id;
  const isWanted = told.rowsOf !== undefined || told.topic === UNREADABLE;
  const taken = { ...told, id, rowsOf: told.rowsOf, isWanted, headers: kept, body };
  const put = [];
  for (const { brandId, connectionId } of owners)
    put.push(await door.inbox.put({ brandId, connectionId }, taken, streams));
  return put.find((how) => how === 'busy') ?? put.find((how) => how === 'stored') ?? 'duplicate';
}

/** What is signed and still cannot be read is kept: if it were refused, the provider would send it for days. */
function readTold({ log }: Door, { provider, connectionId }: Address, delivery: Delivery): Told {
  try {
    return provider.webhook.read(delivery);
  } catch (error) {
    log.error(
      { provider: provider.name, connectionId, reason: messageOf(error) },
      'a delivery cannot be read',
    );
    return { id: digestOf(delivery), topic: UNREADABLE, hints: [] };
  }
}

function headersOf({ env }: Request): Delivery['headers'] {
  const all = Object.entries(env.incoming.headers);
  return Object.fromEntries(
    all.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function isGone(error: unknown): boolean {
  return error instanceof NightshiftError && error.code === 'NS_CONNECTION_GONE';
}

function answer(outcome: Outcome): Response {
  const status = STATUS[outcome];
  const isBodyLeft = status === 408 || status === 413 || status === 400;
  return new Response(null, {
    status,
    headers: {
      ...(status === 429 || status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
      ...(isBodyLeft ? { connection: 'close' } : {}),
    },
  });
}
