/** Every stream there is, by name. */
import { coded } from '#runtime/errors.ts';
import { newRequestStats } from './kit/retry.ts';
import type { Stream } from './kit/stream.ts';
import { type ConnectionCheck, checkShopify } from './shopify/api/check.ts';
import type { ShopifyContext } from './shopify/api/client.ts';
import { shopifyStreams } from './shopify/index.ts';
import { assertOwnAccount, checkStripe } from './stripe/api/check.ts';
import { openStripe, type StripeContext } from './stripe/api/client.ts';
import { stripeStreams } from './stripe/index.ts';

export type { ConnectionCheck };

export const streams: readonly Stream[] = [...shopifyStreams, ...stripeStreams];

export const streamNames: readonly string[] = streams.map(({ name }) => name);

export class StreamUnknown extends coded('NS_STREAM_UNKNOWN') {
  constructor(name: string) {
    super(`There is no stream ${name}.`, {
      hint: `There are: ${streamNames.join(', ')}.`,
      context: { stream: name },
    });
  }
}

export function findStream(name: string): Stream {
  const stream = streams.find((one) => one.name === name);
  if (!stream) throw new StreamUnknown(name);
  return stream;
}

/** In the order in which they are to be read. */
export function streamsOf(provider: string): readonly Stream[] {
  return streams.filter((stream) => stream.provider === provider);
}

/** Whether its stored objects can be held against a fresh list. Shopify counts its own at each sync. */
export function isReconcilable(stream: string): boolean {
  return findStream(stream).provider === 'stripe';
}

/**
 * Throws NS_ACCOUNT_DIFFERS for a key of another account; tells whether the provider was asked. It is
 * asked once for each key and address; a shop says in every run which one it is.
 */
export async function assertAccount(context: StripeContext): Promise<boolean> {
  const { connection } = context;
  if (connection.provider !== 'stripe' || connection.accountAskedAt !== null) return false;
  await assertOwnAccount(openStripe(context), connection);
  return true;
}

/** Tries a connection. Throws what a sync would throw if the key does not work at all. */
export function checkConnection(
  context: Pick<ShopifyContext, 'connection' | 'db' | 'sealer' | 'signal'>,
  now: Date,
): Promise<ConnectionCheck> {
  const { provider } = context.connection;
  const given = { ...context, stats: newRequestStats() };
  if (provider === 'shopify') return checkShopify(given, streamsOf(provider), now);
  if (provider === 'stripe') return checkStripe({ ...given, now: () => now }, streamsOf(provider));
  throw new StreamUnknown(`of ${provider}`);
}
