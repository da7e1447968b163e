/**
 * A stream is one kind of object of a provider, and how to keep our copy of it up to date. It yields pages: records
 * ready to load, and the position to continue from once the page is stored.
 */
import type { Log } from '#runtime/log.ts';
import type { Tx } from '#sql/db/pool.ts';
import type { Check } from '#sql/load/checks.ts';
import type { Invalidation } from '#sql/load/invalidations.ts';
import type { PackedItem } from '#sql/load/pack.ts';
import type { Rejection } from '#sql/load/quarantine.ts';
import type { Deletion, Item, Json, Table } from '#sql/load/table.ts';
import type { OpenConnection } from '#sql/tenants/connections.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { RequestStats } from './http/retry.ts';

/** The database as a connector sees it: a job's fenced one or a plain one. */
export type ConnectorDb = {
  query<R extends Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ): Promise<{ rows: R[]; rowCount: number | null }>;
  transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
};

export type { Check, Rejection };

export type Target = {
  tables: readonly Table[];

  /** See `sql/load/invalidations.ts`. */
  dependents?: readonly Invalidation[];
};

export type Page = {
  /** Rollups wait during a first load; a change is rolled up at once. */
  phase: 'first_load' | 'changes';
  /** Packed if a page is large. */
  items: readonly (Item | PackedItem)[];
  rejected: readonly Rejection[];
  deletions?: readonly Deletion[];
  /** The target of the rows if it is not the stream's own tables; `stream` is the one that usually reads them. */
  target?: Target & { stream: string };
  /**
   * The position to continue from once this page is stored. Absent: the stored position stays. An object, of which all but
   * `changesTo` is the stream's own: the instant up to which every change is stored (ISO 8601). The last page of a
   * complete run has one (`ops.positions.complete_to`), or days of the figures that rest on the stream are never final.
   */
  position?: Json;
  /** The number of objects that the provider announces, for progress. */
  announced?: number;
  checks?: readonly Check[];
  /** Its objects should be stored already: each change is a repair. */
  reconciles?: boolean;
  /** Why the data read so far are incomplete. */
  incomplete?: string;
};

/**
 * What the streams in one run of an account share: their positions, and the requests that are sent once for all of
 * them, such as a look at the feed of changes.
 */
export type AccountRun = {
  /** The streams of this run, each with its position. */
  streams: readonly StreamAt[];
  /** Returns the result of `make`, which only the first stream calls. */
  once<T>(what: symbol, make: () => Promise<T>): Promise<T>;
  /** Whether an error belongs to a shared request. */
  isShared(error: unknown): boolean;
};

export type StreamAt = { stream: Stream; position: unknown };

export type StreamContext = {
  /** Identifies the request of this run across retries, so that a retry skips what is done. */
  request: string;
  connection: OpenConnection;
  db: ConnectorDb;
  sealer: Sealer;
  /** As the last page left it; null before the first one. */
  position: unknown;
  /** The run that this is a part of, with the other streams of the account that it reads. */
  account: AccountRun;
  /** A window to read again; the position stays. */
  window?: { since: Date; until: Date };
  /** Read everything again. */
  full: boolean;
  /** Compare the last weeks with a fresh list, if the provider has no better proof. */
  reconcile: boolean;
  now(): Date;
  signal: AbortSignal;
  stats: RequestStats;
  log: Log;
  /** Reports what stands until a person acts, although the sync succeeded: it raises an alert. */
  warn(warning: string): void;
  /** What the run before warned of stands, because this one does not look. Otherwise the run says all that there is. */
  keepWarnings(): void;
};

export type Stream = Target & {
  name: `${string}.${string}`;
  provider: string;
  /** Permissions that it requires. */
  scopes: readonly string[];
  /** What is missing without them. */
  costs?: string;
  /** Permissions that add to it. */
  scopesOptional?: readonly string[];
  /** Figures that rest on it: a day of them is final only after the stream was read past its end. */
  feeds?: readonly string[];
  /**
   * Its figures carry over from day to day, so the first run of a new day triggers a rollup even if nothing changed.
   */
  hasStates?: boolean;
  pages(context: StreamContext): AsyncIterable<Page>;
  /**
   * Whether everything has to be read, or the rest of it, by its position: that takes a job of its own. Where it is
   * absent, whenever nothing is stored yet.
   */
  needsBackfill?(position: unknown, now: Date): boolean;
  /**
   * The objects of these ids as they are now, because a webhook or a check names them. The position stays where
   * it is. Absent where nothing has an id to ask by.
   */
  fetch?(context: StreamContext, ids: readonly string[]): AsyncIterable<Page>;
  /** The rows in verified deliveries. The position stays. Only for streams whose provider delivers rows. */
  deliver?(context: StreamContext, deliveries: readonly Delivered[]): AsyncIterable<Page>;
};

/** The body of a delivery as it came. */
export type Delivered = { body: Buffer };

/** Whether a run of the account leaves the stream to a job of its own. */
export function isBackfillDue({ needsBackfill }: Stream, position: unknown, now: Date): boolean {
  return position === null || (needsBackfill?.(position, now) ?? false);
}
