/** What a job works with that reads from an account, however many of its streams. */
import { newRequestStats, type RequestStats } from '#connectors/kit/retry.ts';
import type { AccountRun } from '#connectors/kit/stream.ts';
import { assertAccount } from '#connectors/providers.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import type { OpenConnection } from '#sql/tenants/connections.ts';
import type { TaskContext } from './task.ts';

/** What to read of a stream, if not what is new; the fields are those of the job `sync_stream`. */
export type Reading = {
  since?: string | undefined;
  until?: string | undefined;
  ids?: readonly string[] | undefined;
  full?: boolean | undefined;
  request?: string | undefined;
  reconcile?: boolean | undefined;
  now?: string | undefined;
};

export type SyncJob = {
  connection: OpenConnection;
  context: TaskContext;
  account: AccountRun;
  reading: Reading;
  stats: RequestStats;
  warnings: Set<string>;
  /** The provider was asked whose key it is, which has yet to be noted. */
  isAccountAsked: boolean;
};

export function newSyncJob(given: Pick<SyncJob, 'connection' | 'context' | 'account' | 'reading'>): SyncJob {
  return { ...given, stats: newRequestStats(), warnings: new Set(), isAccountAsked: false };
}

export function keyOf({ connection: { brandId, id } }: Pick<SyncJob, 'connection'>): ConnectionKey {
  return { brandId, connectionId: id };
}

/** A run that reads a part again tells nothing of how far the stream is. */
export function isPart({ since, until, ids }: Reading): boolean {
  return (since ?? until ?? ids) !== undefined;
}

/** Throws NS_ACCOUNT_DIFFERS before anything is stored of another account. */
export async function assertOwnAccount(job: SyncJob): Promise<void> {
  const { connection, context, stats, warnings } = job;
  const { db, signal, now, services } = context;
  const warn = (warning: string) => void warnings.add(warning);
  const asking = { connection, db, sealer: services.sealer, signal, stats, warn, now };
  job.isAccountAsked = await assertAccount(services.providers, asking);
}

/** What talking to the provider took. */
export function requestFigures({ stats, warnings }: SyncJob) {
  return {
    requests: stats.requests,
    bytes: stats.bytes,
    waited_ms: stats.waitedMs,
    ...(warnings.size > 0 && { warning: [...warnings].join('; ') }),
  };
}
