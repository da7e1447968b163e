/** Every provider there is, and what can be found by the name of one or of a stream. */
import { coded } from '#runtime/errors.ts';
import { addShapes } from '#runtime/shapes.ts';
import type { Keyring } from '#sql/tenants/connections.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { keyShapes as ayrshareKeys } from './ayrshare/key.ts';
import { KeyUnfit } from './kit/errors.ts';
import { problemOf } from './kit/key_form.ts';
import type { ConnectionCheck, Provider, RequestContext } from './kit/provider.ts';
import { newRequestStats } from './kit/retry.ts';
import type { Stream } from './kit/stream.ts';
import { keyShapes as sendgridKeys } from './sendgrid/key.ts';
import { shopify } from './shopify/provider.ts';
import { stripe } from './stripe/provider.ts';

export const providers: readonly Provider[] = [shopify, stripe];

export const streams: readonly Stream[] = providers.flatMap((provider) => provider.streams);

export const streamNames: readonly string[] = streams.map(({ name }) => name);

addShapes([...providers.flatMap(({ key }) => key.shapes), ...sendgridKeys, ...ayrshareKeys]);

export class StreamUnknown extends coded('NS_STREAM_UNKNOWN') {
  constructor(name: string) {
    super(`There is no stream ${name}.`, {
      hint: `There are: ${streamNames.join(', ')}.`,
      context: { stream: name },
    });
  }
}

/** Of a name that the database has: a release that does not know it is older than the row. */
export function providerOf(name: string): Provider {
  const found = providers.find((provider) => provider.name === name);
  if (found === undefined) throw new TypeError(`no provider is called ${name}`);
  return found;
}

export function findStream(name: string): Stream {
  const stream = streams.find((one) => one.name === name);
  if (!stream) throw new StreamUnknown(name);
  return stream;
}

/** In the order in which they are to be read. */
export function streamsOf(provider: string): readonly Stream[] {
  return providerOf(provider).streams;
}

/** Whether its stored objects can be held against a fresh list. */
export function isReconcilable(stream: string): boolean {
  return providerOf(findStream(stream).provider).isReconcilable;
}

/** What opens connections, and says where their keys may be sent. */
export function makeKeyring(sealer: Sealer, allowedHosts: readonly string[]): Keyring {
  return { sealer, allowedHosts, addressOf: providerOf };
}

/** Throws NS_KEY_UNFIT for a key, or a part of one, that is seen to be another provider's. */
export function assertOwn(provider: string, part: string): void {
  const { title, key } = providerOf(provider);
  const owner = providers.find(
    (other) => other.name !== provider && other.key.prefixes.some((prefix) => part.startsWith(prefix)),
  );
  if (owner) throw new KeyUnfit(title, `it is one of ${owner.title}`, key.hint);
}

/** Throws NS_KEY_UNFIT for a key that is seen to be another provider's, or to read nothing. */
export function assertKey(provider: string, key: string): void {
  assertOwn(provider, key);
  const { title, key: form } = providerOf(provider);
  const problem = problemOf(form, key);
  if (problem !== undefined) throw new KeyUnfit(title, problem, form.hint);
}

/** Throws NS_ACCOUNT_DIFFERS for a key of another account; tells whether the provider was asked. */
export async function assertAccount(context: RequestContext): Promise<boolean> {
  const { provider, accountAskedAt } = context.connection;
  const { assertAccount: ask } = providerOf(provider);
  if (ask === undefined || accountAskedAt !== null) return false;
  await ask(context);
  return true;
}

/** Tries a connection. Throws what a sync would throw if the key does not work at all. */
export function checkConnection(
  context: Omit<RequestContext, 'warn' | 'now' | 'stats'>,
  now: Date,
): Promise<ConnectionCheck> {
  const provider = providerOf(context.connection.provider);
  return provider.check({ ...context, stats: newRequestStats(), now: () => now }, provider.streams);
}
