/**
 * A provider is a value: whatever the rest of the product must know of one stands in its definition, so that
 * nothing outside its folder knows its name. docs/architecture.md walks through adding one.
 */
import type { OpenConnection } from '#sql/tenants/connections.ts';
import type { ProviderAddress } from '#sql/tenants/hosts.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { KeyForm } from './key_form.ts';
import type { RequestStats } from './retry.ts';
import type { ConnectorDb, Stream } from './stream.ts';

/** What a request outside of a sync needs. */
export type RequestContext = {
  connection: OpenConnection;
  db: ConnectorDb;
  sealer: Sealer;
  signal: AbortSignal;
  stats: RequestStats;
  now(): Date;
  warn(warning: string): void;
};

export type ConnectionCheck = {
  account: { name: string; domain: string; currency: string; timeZone: string; createdAt: Date };
  apiVersion: string;
  scopes: readonly string[];
  /** What each stream lacks; a stream that lacks something cannot be read. */
  missing: readonly { stream: string; scopes: readonly string[] }[];
  /** What a person should know although the connection works. */
  warnings: readonly string[];
};

export type AccountForm = {
  /** How it is written, with capitals for what a person fills in. */
  written: string;
  /** The account that was typed, in its plain form; undefined if it is none. */
  read(typed: string): string | undefined;
  /** Where a person finds it, as a sentence. */
  found: string;
};

export type Provider = ProviderAddress & {
  /** As people write it. `name` is what its streams begin with. */
  title: string;
  account: AccountForm;
  key: KeyForm;
  /** Whether its limits are raised for single accounts, and by hand: else it tells them with its answers. */
  raisesLimits: boolean;
  /** Whether stored objects are held against a fresh list from time to time; else each sync counts them. */
  isReconcilable: boolean;
  /** In the order in which they are read. */
  streams: readonly Stream[];
  /** Tries a connection; throws what a sync would throw if the key does not work at all. */
  check(context: Omit<RequestContext, 'warn'>, streams: readonly Stream[]): Promise<ConnectionCheck>;
  /**
   * Throws NS_ACCOUNT_DIFFERS for a key of another account; called once for each key and address. Absent where
   * every answer says whose it is.
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
