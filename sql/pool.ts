/**
 * The door to PostgreSQL. Every session speaks UTC, notices a dead peer within seconds on both
 * sides, and has a limit on each statement. Values keep what they are: a `date` stays the text
 * 'YYYY-MM-DD', a `numeric` stays decimal text, a `bigint` is a number or an error.
 */
import pg from 'pg';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import { types } from './pool_types.ts';

export type Tx = pg.ClientBase;

/** With a name, a session parses it once; for statements that are asked again and again. */
export type Statement = string | { name: string; text: string };

export type Db = AsyncDisposable & {
  pool: pg.Pool;
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    statement: Statement,
    values?: unknown[],
  ): Promise<pg.QueryResult<R>>;
  /** Commits what `fn` did, or nothing of it. */
  transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
};

export type DbOptions = {
  /** What `pg_stat_activity` calls us. */
  applicationName: string;
  /** The most connections at a time. */
  max?: number;
  /** 0 = no limit. */
  statementTimeoutMs?: number;
};

export const STATEMENT_TIMEOUT_MS = 5 * 60_000;
export const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 10;

// A killed client's statement would run on and hold its locks: the server looks for its client
// this often while it works, and TCP probes find a vanished machine in about ten seconds. Ours begin
// as early: by themselves they would wait two hours, and with them whoever waits for an answer.
const CLIENT_PROBE_AFTER_MS = 3_000;
const sessionSettings = {
  timezone: 'UTC',
  jit: 'off', // it takes seconds to compile what then runs for milliseconds; our own server has it off too
  client_connection_check_interval: '500ms',
  tcp_keepalives_idle: '3',
  tcp_keepalives_interval: '1',
  tcp_keepalives_count: '3',
  idle_in_transaction_session_timeout: `${IDLE_IN_TRANSACTION_TIMEOUT_MS}ms`,
};

export class DatabaseUnreachable extends NightshiftError {
  readonly code = 'NS_DATABASE_UNREACHABLE';

  constructor(url: string, cause: unknown) {
    super(`Cannot work with PostgreSQL at ${placeOf(url)}: ${messageOf(cause)}.`, {
      hint: 'Start the server, or correct DATABASE_URL; without DATABASE_URL Nightshift brings its own server.',
      verdict: 'retry',
      context: { database: placeOf(url) },
      cause,
    });
  }
}

export class TransactionRolledBack extends NightshiftError {
  readonly code = 'NS_TRANSACTION_ROLLED_BACK';

  constructor() {
    super('PostgreSQL rolled a transaction back that should have been committed.', {
      hint: 'A statement in it failed and its error was swallowed: the job is tried again, please report it.',
      verdict: 'retry',
    });
  }
}

/** Connects when first used; leaving the scope closes every connection. */
export function openDb(url: string, options: DbOptions): Db {
  const pool = new pg.Pool(poolConfig(url, options));
  // A connection that breaks while nobody waits on it must not end the process: whoever uses it
  // next gets the error from their own statement, and the pool replaces it.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  const connect = async (): Promise<pg.PoolClient> => {
    try {
      return await pool.connect();
    } catch (error) {
      throw new DatabaseUnreachable(url, error);
    }
  };

  return {
    pool,
    async query(statement, values) {
      const client = await connect();
      try {
        const own = typeof statement === 'string' ? statement : { ...statement }; // pg writes into it
        return await client.query(own, values);
      } finally {
        client.release();
      }
    },
    transaction: async (fn) => inTransaction(await connect(), fn),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

async function inTransaction<T>(client: pg.PoolClient, fn: (tx: Tx) => Promise<T>): Promise<T> {
  let lost: Error | undefined; // a session that cannot even roll back is not handed on
  try {
    await client.query('begin');
    const result = await fn(client);
    const { command } = await client.query('commit');
    // PostgreSQL answers a commit of a failed transaction with a quiet ROLLBACK.
    if (command !== 'COMMIT') throw new TransactionRolledBack();
    return result;
  } catch (error) {
    await client.query('rollback').catch((reason: Error) => {
      lost = reason;
    });
    throw error;
  } finally {
    client.release(lost);
  }
}

function poolConfig(url: string, options: DbOptions): pg.PoolConfig {
  const { applicationName, max = CONNECTIONS_MAX, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const settings = { ...sessionSettings, statement_timeout: `${statementTimeoutMs}ms` };
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const address = new URL(url);
  const given = address.searchParams.get('options'); // what the address asks for comes last and wins
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

/** Where a server is, without the password that its address carries. */
export function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || '5432'}${pathname}`;
}
