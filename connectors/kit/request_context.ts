import type { OpenConnection } from '#sql/tenants/connections.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { RequestStats } from './http/retry.ts';
import type { ConnectorDb } from './stream.ts';

/** The context of a request outside of a sync. */
export type RequestContext = {
  connection: OpenConnection;
  db: ConnectorDb;
  sealer: Sealer;
  signal: AbortSignal;
  stats: RequestStats;
  now(): Date;
  warn(warning: string): void;
};
