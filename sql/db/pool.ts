/**
 * The door to PostgreSQL. Every session speaks UTC, notices a dead peer within seconds on both
 * sides, and has a limit on each statement. Values keep what they are: a `date` stays the text
 * 'YYYY-MM-DD', a `numeric` stays decimal text, a `bigint` is a number or an error.
 */
import pg from 'pg';
import { coded } from '#runtime/errors.ts';
import { DatabaseUnreachable, isDatabaseFault } from './faults.ts';
import { types } from './pool_types.ts';

export type Tx = pg.ClientBase;

/** A session parses it once: for what is asked again and again. */
export type NamedStatement = { name: string; text: string };
export type Statement = string | NamedStatement;

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

export class TransactionRolledBack extends coded('NS_TRANSACTION_ROLLED_BACK') {
  constructor() {
    super('PostgreSQL rolled a transaction back that should have been committed.', {
      hint: 'A statement in it failed and its error was swallowed: the job is tried again, please report it.',
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
      throw new DatabaseUnreachable(placeOf(url), error);
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
      // What fails after the connection broke fails for that, whatever it says: a COPY speaks of its stream.
      const error = lost === undefined ? thrown : lossOf(lost, url);
      if (isDatabaseFault(error)) unfit = error as Error; // a standby would refuse the next one too
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
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/** The server says why it ended a session (one that idled in a transaction is our own fault), or says nothing. */
function lossOf(lost: Error, url: string): Error {
  const isOurFault = lost instanceof pg.DatabaseError && !isDatabaseFault(lost);
  return isOurFault ? lost : new DatabaseUnreachable(placeOf(url), lost);
}

async function inTransaction<T>(client: pg.PoolClient, fn: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    await client.query('begin');
    const result = await fn(client);
    const { command } = await client.query('commit');
    // PostgreSQL answers a commit of a failed transaction with a quiet ROLLBACK.
    if (command !== 'COMMIT') throw new TransactionRolledBack();
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => void client.end()); // a session that cannot is not handed on
    throw error;
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
