import type pg from 'pg';

/** Whatever can be read from: a pool, a transaction, the database of a running job. */
export type Reader = {
  query<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<{ rows: R[] }>;
};
