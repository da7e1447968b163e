/**
 * The door for deliveries of providers, the only one at which strangers can knock: POST /webhooks/<provider>/<id of the
 * connection>. The raw bytes are verified before anything of them is read; what is verified is stored for good before
 * it is answered with 200, once, however often it comes.
 */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Provider } from '#connectors/kit/provider.ts';
import type { Delivery, Told, Webhook } from '#connectors/kit/webhook.ts';
import { digestOf } from '#connectors/kit/webhook.ts';
import type { ProviderSet } from '#connectors/providers.ts';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import type { BodyFault, BodyReader } from './body.ts';
import type { Inbox } from './inbox.ts';
import type { Address, Receivers } from './receivers.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ID_CHARS_MAX = 255;
const REQUESTS_AT_ONCE_MAX = 512;
const UNREADABLE = 'unreadable';
const RETRY_AFTER_SECONDS = '5';

export type Outcome = 'stored' | 'duplicate' | 'unsigned' | 'unknown' | 'limited' | 'failed' | BodyFault;

const STATUS = {
  ...{
    stored: 200,
    duplicate: 200,
    unsigned: 401,
    unknown: 404,
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
  return async (context) => {
    const provider = byName.get(context.req.param('provider') ?? '');
    const connectionId = context.req.param('connection') ?? '';
    if (provider === undefined || !UUID.test(connectionId)) return answer('unknown');
    const begunAt = performance.now();
    let outcome: Outcome = 'busy';
    if (atOnce < REQUESTS_AT_ONCE_MAX) {
      atOnce++;
      outcome = await take(door, { provider, connectionId }, context).catch((error: unknown) => {
        if (isGone(error)) return 'unknown';
        door.log.warn(
          { provider: provider.name, reason: messageOf(error) },
          'a delivery could not be stored',
        );
        return 'failed';
      });
      atOnce--;
    }
    door.count(provider.name, outcome, (performance.now() - begunAt) / 1000);
    return answer(outcome);
  };
}

type Delivering = Provider & { webhook: Webhook };

function isDelivering(provider: Provider): provider is Delivering {
  return provider.webhook !== undefined;
}

async function take(door: Door, address: Address, context: Request): Promise<Outcome> {
  const found = await door.receivers.find(address);
  if (found === undefined) return 'busy';
  if (!found.receivers.some(({ secrets }) => secrets.length > 0)) return 'unknown';
  const { webhook, streams } = address.provider;
  const read = await door.readBody(context.env.incoming, webhook.bytesMax);
  if (typeof read === 'string') return read;
  using held = read;
  const delivery = { headers: headersOf(context), body: held.body };
  const to = await signedFor(door, address, delivery);
  if (to === undefined) return 'unsigned';
  if (!found.bucket.take()) return 'limited';
  const told = readTold(door, address, delivery);
  const { headers } = delivery;
  const kept = Object.fromEntries(
    ['content-type', ...webhook.headers].flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])),
  );
  const id = told.id.length > ID_CHARS_MAX ? digestOf({ ...delivery, body: Buffer.from(told.id) }) : told.id;
  const isWanted = told.rowsOf !== undefined || told.topic === UNREADABLE;
  const taken = { ...told, id, rowsOf: told.rowsOf, isWanted, headers: kept, body: held.body };
  return (await door.inbox.put(to, taken, streams)) ? 'stored' : 'duplicate';
}

/** Whose secret has signed it. If none has, the secrets may have changed a moment ago. */
async function signedFor(
  door: Door,
  address: Address,
  delivery: Delivery,
): Promise<ConnectionKey | undefined> {
  const now = new Date();
  for (const isDoubted of [false, true]) {
    const found = await door.receivers.find(address, isDoubted);
    const signer = found?.receivers.find(({ secrets }) =>
      address.provider.webhook.isSigned(delivery, secrets, now),
    );
    if (signer !== undefined) return { brandId: signer.brandId, connectionId: signer.connectionId };
  }
  return undefined;
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
