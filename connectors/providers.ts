/** All providers, and lookups by the name of a provider or a stream. */
import { coded } from '#runtime/errors.ts';
import { addShapes } from '#runtime/shapes.ts';
import type { Keyring } from '#sql/tenants/connections.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { ayrshare } from './ayrshare/provider.ts';
import { KeyUnfit } from './kit/errors.ts';
import { newRequestStats } from './kit/http/retry.ts';
import { problemOf } from './kit/key_form.ts';
import type { ConnectionCheck, Provider, RequestContext } from './kit/provider.ts';
import type { Stream } from './kit/stream.ts';
import { sendgrid } from './sendgrid/provider.ts';
import { shopify } from './shopify/provider.ts';
import { stripe } from './stripe/provider.ts';

/** Providers by name, and their streams. */
export type ProviderSet = {
  providers: readonly Provider[];
  streams: readonly Stream[];
  /** By a name from the database: a release that does not know it is older than the row. */
  providerOf(name: string): Provider;
  /** Throws NS_STREAM_UNKNOWN. */
  findStream(name: string): Stream;
};

/** Opens the connections of these providers. */
export type ProviderKeyring = Keyring & { providers: ProviderSet };

export class StreamUnknown extends coded('NS_STREAM_UNKNOWN') {
  constructor(name: string, known: readonly Stream[]) {
    super(`There is no stream ${name}.`, {
      hint: `There are: ${known.map((stream) => stream.name).join(', ')}.`,
      context: { stream: name },
    });
  }
}

export function providerSet(providers: readonly Provider[]): ProviderSet {
  const streams = providers.flatMap((provider) => provider.streams);
  const byName = new Map(providers.map((provider) => [provider.name, provider]));
  const streamsByName = new Map(streams.map((stream) => [stream.name as string, stream]));
  if (byName.size + streamsByName.size < providers.length + streams.length)
    throw new TypeError('two providers or two streams have one name');
  return {
    providers,
    streams,
    providerOf(name) {
      const found = byName.get(name);
      if (found === undefined) throw new TypeError(`no provider is called ${name}`);
      return found;
    },
    findStream(name) {
      const found = streamsByName.get(name);
      if (found === undefined) throw new StreamUnknown(name, streams);
      return found;
    },
  };
}

/** The providers that Nightshift reads. */
export const builtIn = providerSet([shopify, stripe, sendgrid, ayrshare]);
export const { providers, streams, providerOf, findStream } = builtIn;

export const streamNames: readonly string[] = streams.map(({ name }) => name);

addShapes(providers.flatMap(({ key }) => key.shapes));

/** In reading order. */
export function streamsOf(provider: string): readonly Stream[] {
  return providerOf(provider).streams;
}

/** Whether its stored objects can be compared with a fresh list. */
export function isReconcilable(stream: string): boolean {
  return providerOf(findStream(stream).provider).isReconcilable;
}

/** Keys are sent to hosts of the providers and to hosts that the operator allows. */
export function makeKeyring(sealer: Sealer, allowedHosts: readonly string[], set = builtIn): ProviderKeyring {
  return { sealer, allowedHosts, addressOf: set.providerOf, providers: set };
}

/** Throws NS_KEY_UNFIT for a key, or a part of one, that visibly belongs to another provider. */
export function assertOwn(provider: string, part: string): void {
  const { title, key } = providerOf(provider);
  const owner = providers.find(
    (other) => other.name !== provider && other.key.prefixes.some((prefix) => part.startsWith(prefix)),
  );
  if (owner) throw new KeyUnfit(title, `it is a key of ${owner.title}`, key.hint);
}

/** Throws NS_KEY_UNFIT for a key that visibly belongs to another provider or cannot read. */
export function assertKey(provider: string, key: string): void {
  assertOwn(provider, key);
  const { title, key: form } = providerOf(provider);
  const problem = problemOf(form, key);
  if (problem !== undefined) throw new KeyUnfit(title, problem, form.hint);
}

/** Throws NS_ACCOUNT_DIFFERS for a key of another account; returns whether it sent a request. */
export async function assertAccount(set: ProviderSet, context: RequestContext): Promise<boolean> {
  const { provider, accountAskedAt } = context.connection;
  const { assertAccount: ask } = set.providerOf(provider);
  if (ask === undefined || accountAskedAt !== null) return false;
  await ask(context);
  return true;
}

/** Checks a connection. Throws what a sync would throw if the key does not work at all. */
export function checkConnection(
  context: Omit<RequestContext, 'warn' | 'now' | 'stats'>,
  now: Date,
): Promise<ConnectionCheck> {
  const provider = providerOf(context.connection.provider);
  return provider.check({ ...context, stats: newRequestStats(), now: () => now }, provider.streams);
}
