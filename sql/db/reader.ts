import type pg from 'pg';

/** Anything that runs queries: a pool, a transaction, the database of a running job. */
export type Reader = {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<{ rows: R[] }>;
};
