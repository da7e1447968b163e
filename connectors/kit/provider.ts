/**
 * A provider is a value: its definition holds all that the rest of the product must know of it, so that nothing
 * outside its folder knows its name. docs/architecture.md walks through adding one.
 */
import type { ProviderAddress } from '#sql/tenants/hosts.ts';
import type { KeyForm } from './key_form.ts';
import type { Mail } from './mail.ts';
import type { RequestContext } from './request_context.ts';
import type { Stream } from './stream.ts';
import type { Subscribing } from './subscriptions.ts';
import type { Webhook } from './webhook.ts';

export type { RequestContext };

export type ConnectionCheck = {
  account: { name: string; domain: string; currency: string; timeZone: string; createdAt: Date };
  apiVersion: string;
  scopes: readonly string[];
  /** Missing permissions by stream; such a stream cannot be read. */
  missing: readonly { stream: string; scopes: readonly string[]; costs?: string | undefined }[];
  /** Warnings about a connection that works. */
  warnings: readonly string[];
};

export type AccountForm = {
  /** Its form, with capitals for the parts to fill in. */
  written: string;
  /** The typed account in canonical form; undefined if it is not valid. */
  read(typed: string): string | undefined;
  /** Where a person finds it, as a sentence. */
  found: string;
};

/** What a provider takes away, with the day, so that nobody learns of it from a failed sync. */
export type Retirement = {
  /** From this day on it is not there. */
  on: string;
  /** As a person would call it. */
  what: string;
  /** A field of records that a stream reads, or a family of them (`*`); a test fails once it is gone and still mapped. */
  field?: { stream: string; name: string };
  /** It stays under its name and means something else from then on: no difference is taken across that day. */
  isRedefined?: true;
  /** What takes its place. */
  instead?: string;
  /** Where the provider says so. */
  source: string;
};

export type Provider = ProviderAddress & {
  /** The display name. The names of its streams begin with `name`. */
  title: string;
  account: AccountForm;
  key: KeyForm;
  /** Of connections of a whole brand: how a part that may belong to one retailer is written. Any text, if not said. */
  part?: AccountForm;
  /** Whether limits of single accounts are set by hand; else its answers report them. */
  raisesLimits: boolean;
  /** Whether stored objects are compared with a fresh list from time to time; else each sync counts them. */
  isReconcilable: boolean;
  /** In reading order. */
  streams: readonly Stream[];
  /** How it delivers what changes. Absent: it is only asked. */
  webhook?: Webhook;
  /** How it is told to. Absent: a person tells it on its own pages. */
  webhooks?: Subscribing;
  /** How it sends mail. Absent: it sends none. */
  mail?: Mail;
  /** What it takes away, and when. */
  retirements: readonly Retirement[];
  /** Checks a connection; throws what a sync would throw if the key does not work at all. */
  check(context: Omit<RequestContext, 'warn'>, streams: readonly Stream[]): Promise<ConnectionCheck>;
  /**
   * Throws NS_ACCOUNT_DIFFERS for a key of another account; called once for each key and address. Absent if every
   * answer names its account.
   */
  assertAccount?(context: RequestContext): Promise<unknown>;
};

export function defineProvider(provider: Provider): Provider {
  const { name, streams } = provider;
  const foreign = streams.find((stream) => !stream.name.startsWith(`${name}.`));
  if (foreign !== undefined)
    throw new TypeError(`Stream ${foreign.name} must be named after its provider ${name}.`);
  return provider;
}
