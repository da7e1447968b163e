/**
 * Connections to PostgreSQL. Every session uses UTC, both sides notice a dead peer within seconds, and each statement
 * has a time limit. Values stay exact: a `date` is the text 'YYYY-MM-DD', a `numeric` is decimal text, a `bigint` is
 * a number or an error.
 */
import pg from 'pg';
import { coded } from '#runtime/errors.ts';
import { DatabaseUnreachable, isDatabaseFault, refusalOf } from './faults.ts';
import { type BoundStatement, inOneTrip } from './pipeline.ts';
import { types } from './pool_types.ts';

export type Tx = pg.ClientBase;

/** A prepared statement, for frequent queries: a session parses it once. */
export type NamedStatement = { name: string; text: string };
export type Statement = string | NamedStatement;
export type { BoundStatement };

/** What a transaction sends together with `begin` and with `commit`, each of which saves a round trip. */
export type Bracket<T> = {
  first(tx: Tx): BoundStatement;
  body(tx: Tx, first: pg.QueryResult): Promise<T>;
  last?: ((value: T) => BoundStatement) | undefined;
  /** Runs once `body` is over, well or not, or never began. */
  afterwards(): Promise<void>;
};

export type Db = AsyncDisposable & {
  pool: pg.Pool;
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    statement: Statement,
    values?: unknown[],
  ): Promise<pg.QueryResult<R>>;
  /** Commits all changes of `fn`, or none. */
  transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
  /** The same in fewer round trips; also returns the answer to `last`. */
  bracketed<T>(bracket: Bracket<T>): Promise<{ value: T; last: pg.QueryResult | undefined }>;
};

export type DbOptions = {
  /** Our name in `pg_stat_activity`. */
  applicationName: string;
  /** The maximum number of connections. */
  max?: number;
  /** 0 = no limit. */
  statementTimeoutMs?: number;
};

export const STATEMENT_TIMEOUT_MS = 5 * 60_000;
export const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
/** A setting without any other meaning: whoever drops the options of a session drops it too. */
export const OPTIONS_MARK = 'nightshift.options';
const CONNECT_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 10;

// The statement of a killed client would run on and hold its locks, so the server checks for its client this often
// while it works, and TCP probes find a vanished machine in about ten seconds. Our own probes start as early: by
// default they would start after two hours.
const CLIENT_PROBE_AFTER_MS = 3_000;
const sessionSettings = {
  timezone: 'UTC',
  datestyle: 'ISO', // as which instants and days are read here
  jit: 'off', // compiling takes seconds for statements of milliseconds; the embedded server has it off too
  client_connection_check_interval: '500ms',
  tcp_keepalives_idle: '3',
  tcp_keepalives_interval: '1',
  tcp_keepalives_count: '3',
  idle_in_transaction_session_timeout: `${IDLE_IN_TRANSACTION_TIMEOUT_MS}ms`,
  [OPTIONS_MARK]: 'passed',
};

export class TransactionRolledBack extends coded('NS_TRANSACTION_ROLLED_BACK') {
  constructor() {
    super('PostgreSQL rolled back a transaction that should have been committed.', {
      hint: 'A statement in it failed and its error was swallowed: the job is tried again, please report it.',
    });
  }
}

/** Connects on first use; leaving the scope closes every connection. */
export function openDb(url: string, options: DbOptions): Db {
  const pool = new pg.Pool(poolConfig(url, options));
  // An idle connection that breaks must not end the process: the next statement on it fails, and the pool replaces it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw refusalOf(error, placeOf(url));
    }
  };

  const onSession = async <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await connect();
    let lost: Error | undefined;
    let unfit: Error | undefined;
    const onError = (error: Error) => {
      lost ??= error;
    };
    client.on('error', onError);
    try {
      return await work(client);
    } catch (thrown) {
      // After the connection broke every error has that cause, even if it says otherwise: a COPY complains about its
      // stream.
      const error = lost === undefined ? thrown : lossOf(lost, url);
      if (isDatabaseFault(error)) unfit = error as Error; // a standby would refuse the next statement too
      throw error;
    } finally {
      client.off('error', onError);
      client.release(unfit);
    }
  };

  return {
    pool,
    query: (statement, values) =>
      onSession((client) => {
        const own = typeof statement === 'string' ? statement : { ...statement }; // pg writes into it
        return client.query(own, values);
      }),
    transaction: (fn) => onSession((client) => inTransaction(client, fn)),
    bracketed: (bracket) => onSession((client) => inBracket(client, bracket)),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/** Whether the server ended the session or it broke. A session that was idle in a transaction is our own fault. */
function lossOf(lost: Error, url: string): Error {
  const isOurFault = lost instanceof pg.DatabaseError && !isDatabaseFault(lost);
  return isOurFault ? lost : new DatabaseUnreachable(placeOf(url), lost);
}

async function inTransaction<T>(client: pg.PoolClient, fn: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    await client.query('begin');
    const result = await fn(client);
    assertCommitted(await client.query('commit'));
    return result;
  } catch (error) {
    await rollBack(client);
    throw error;
  }
}

async function inBracket<T>(client: pg.PoolClient, { first, body, last, afterwards }: Bracket<T>) {
  try {
    const value = await Promise.resolve()
      .then(() => inOneTrip(client, 'begin', first(client)))
      .then(([, opening]) => body(client, opening))
      .finally(afterwards);
    const [closing, commit] = last
      ? await inOneTrip(client, last(value), 'commit')
      : [undefined, await client.query('commit')];
    assertCommitted(commit);
    return { value, last: closing };
  } catch (error) {
    await rollBack(client);
    throw error;
  }
}

/** PostgreSQL answers a commit of a failed transaction with a quiet ROLLBACK. */
function assertCommitted({ command }: pg.QueryResult): void {
  if (command !== 'COMMIT') throw new TransactionRolledBack();
}

/** A session that cannot roll back is not reused. */
async function rollBack(client: pg.PoolClient): Promise<void> {
  await client.query('rollback').catch(() => void client.end());
}

function poolConfig(url: string, options: DbOptions): pg.PoolConfig {
  const { applicationName, max = CONNECTIONS_MAX, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const settings = { ...sessionSettings, statement_timeout: `${statementTimeoutMs}ms` };
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const address = new URL(url);
  const given = address.searchParams.get('options'); // options in the address come last and win
  address.searchParams.set('options', [...flags, given ?? ''].join(' ').trim());
  address.searchParams.set('application_name', applicationName);
  return {
    connectionString: address.href,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: CLIENT_PROBE_AFTER_MS,
    types,
  };
}

/** The address of a server, without the password. */
export function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || '5432'}${pathname}`;
}
