/** What a job that reads from an account needs, for one stream or many. */
import { newRequestStats, type RequestStats } from '#connectors/kit/http/retry.ts';
import type { AccountRun, Delivered } from '#connectors/kit/stream.ts';
import { assertAccount } from '#connectors/providers.ts';
import type { ConnectionKey } from '#sql/load/stream_key.ts';
import type { OpenConnection } from '#sql/tenants/connections.ts';
import type { TaskContext } from './task.ts';

/** What to read of a stream instead of changes; but for deliveries these are the fields of the job `sync_stream`. */
export type Reading = {
  since?: string | undefined;
  until?: string | undefined;
  ids?: readonly string[] | undefined;
  deliveries?: readonly Delivered[] | undefined;
  full?: boolean | undefined;
  request?: string | undefined;
  reconcile?: boolean | undefined;
  now?: string | undefined;
  /** The provider has just told of a change: somebody may wait for the figures. */
  isTold?: boolean | undefined;
};

export type SyncJob = {
  connection: OpenConnection;
  context: TaskContext;
  account: AccountRun;
  reading: Reading;
  stats: RequestStats;
  warnings: Set<string>;
  /** The owner of the key was checked with the provider, and this has not been stored yet. */
  isAccountAsked: boolean;
};

export function newSyncJob(given: Pick<SyncJob, 'connection' | 'context' | 'account' | 'reading'>): SyncJob {
  return { ...given, stats: newRequestStats(), warnings: new Set(), isAccountAsked: false };
}

export function keyOf({ connection: { brandId, id } }: Pick<SyncJob, 'connection'>): ConnectionKey {
  return { brandId, connectionId: id };
}

/** A run that reads a part again does not change the state of the stream. */
export function isPart({ since, until, ids, deliveries }: Reading): boolean {
  return (since ?? until ?? ids ?? deliveries) !== undefined;
}

const OWN_ACCOUNT = Symbol('the account of the key');

/** Throws NS_ACCOUNT_DIFFERS before anything of another account is stored. A failure concerns all streams of the run. */
export function assertOwnAccount(job: SyncJob): Promise<void> {
  return job.account.once(OWN_ACCOUNT, () => checkAccount(job));
}

async function checkAccount(job: SyncJob): Promise<void> {
  const { connection, context, stats, warnings } = job;
  const { db, signal, now, services } = context;
  const warn = (warning: string) => void warnings.add(warning);
  const asking = { connection, db, sealer: services.sealer, signal, stats, warn, now };
  job.isAccountAsked = await assertAccount(services.providers, asking);
}

/** The costs of the requests to the provider. */
export function requestFigures({ stats, warnings }: SyncJob) {
  return {
    requests: stats.requests,
    bytes: stats.bytes,
    waited_ms: stats.waitedMs,
    ...(warnings.size > 0 && { warning: [...warnings].join('; ') }),
  };
}
