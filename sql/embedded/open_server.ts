/**
 * `openServer` gives the address of the server to use: the one that DATABASE_URL names, or else an embedded one that is
 * started on a free loopback port.
 *
 * Commands on one data directory share one embedded server. PostgreSQL itself counts them, so a crash leaves nothing
 * behind: each holds a connection with a shared advisory lock, and a leaving command that can take the lock exclusively
 * was the last one and stops the server. A server whose commands were all killed keeps running, and the next command
 * joins it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { messageOf, NightshiftError } from '#runtime/errors.ts';
import type { Log } from '#runtime/log.ts';
import { type Cluster, EmbeddedServerFailed, openCluster } from './cluster.ts';
import { databaseUrl, type Launch, lastWords, launchServer, runningServer, stopServer } from './server.ts';

export type Server = AsyncDisposable & {
  url: string;
  /** Rejects when the embedded server has ended unexpectedly and is not restarted at the same address. */
  lost: Promise<never>;
};

export type ServerOptions = {
  /** An existing server; then nothing is started. */
  databaseUrl?: string;
  /** Where the embedded server keeps its data, or a pointer to them. */
  dataDir: string;
  log: Log;
  /** Further settings of the embedded server, for tests. */
  settings?: Record<string, string>;
};

const DATABASE = 'nightshift';
const READY_WAIT_MS = 120_000; // recovery after a crash included
const POLL_MS = 25;
const RELAUNCH_MS = 250;
const GONE_MS = 5_000; // without a server at its address for this long, waiting is useless

const lock = { using: '7346109001', leaving: '7346109002' };

/** Leaving the scope stops an embedded server, unless another command still uses it. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const { databaseUrl: url } = options;
  if (url !== undefined) return { url, lost: new Promise(() => {}), async [Symbol.asyncDispose]() {} };
  try {
    return await openEmbedded(options);
  } catch (error) {
    if (error instanceof NightshiftError) throw error;
    // Mostly a directory that we may not use.
    const message = `The embedded PostgreSQL of ${options.dataDir} cannot be used: ${messageOf(error)}.`;
    throw new EmbeddedServerFailed(message, { cause: error });
  }
}

async function openEmbedded(options: ServerOptions): Promise<Server> {
  const cluster = await openCluster(options.dataDir);
  const first = await join(cluster, options);
  await makeDatabase(first.session);
  const { lost, leave } = stayIn(cluster, first);
  return { url: databaseUrl(cluster, first.port, DATABASE), lost, [Symbol.asyncDispose]: leave };
}

type Session = { session: pg.Client; port: number };

/**
 * Keeps this command counted. When one process of PostgreSQL crashes, all sessions end and the server continues:
 * without a new session the next leaving command would think that it is the last one and stop the server.
 */
function stayIn(cluster: Cluster, { session: first, port }: Session) {
  const url = databaseUrl(cluster, port, 'postgres');
  const { promise: lost, reject } = Promise.withResolvers<never>();
  lost.catch(() => {}); // it may have no awaiter
  let session = first;
  let left: Promise<void> | undefined;
  let leaving = false;

  const watch = (entered: pg.Client) => {
    session = entered;
    session.once('end', () => comeBack().catch(reject));
  };
  const comeBack = async () => {
    for (let goneMs = 0; !leaving; goneMs += RELAUNCH_MS) {
      const isUp = (await runningServer(cluster))?.port === port;
      const entered = isUp ? await enter(url).catch(() => undefined) : undefined;
      if (entered && leaving) return entered.end();
      if (entered) return watch(entered);
      if (isUp) goneMs = 0;
      if (goneMs > GONE_MS) throw hasEnded(cluster);
      await sleep(RELAUNCH_MS);
    }
  };
  watch(first);
  return {
    lost,
    leave: () => {
      leaving = true;
      left ??= leave(cluster, session);
      return left;
    },
  };
}

function hasEnded({ home }: Cluster): EmbeddedServerFailed {
  const advice = 'Start this again: what was committed is there.';
  return new EmbeddedServerFailed(`PostgreSQL in ${home} has ended.`, { advice });
}

/** Joins the running server, or launches one. */
async function join(cluster: Cluster, { log, settings = {} }: ServerOptions): Promise<Session> {
  const deadline = performance.now() + READY_WAIT_MS;
  let launch: Launch | undefined;
  while (performance.now() < deadline) {
    const server = await runningServer(cluster);
    const session = server && (await enter(databaseUrl(cluster, server.port, 'postgres')));
    if (server && session) return { session, port: server.port };
    if (!server && launch?.ended !== undefined) {
      await refuseLasting(launch);
      await sleep(RELAUNCH_MS);
    }
    if (!server && (launch === undefined || launch.ended !== undefined)) {
      log.debug({ data: cluster.data }, 'starting the embedded PostgreSQL');
      launch = await launchServer(cluster, settings);
    }
    await sleep(POLL_MS);
  }
  throw new EmbeddedServerFailed(`PostgreSQL in ${cluster.home} was not ready in time.`);
}

// Another command was faster, another program took the port, or after a crash a process of the old
// server has not ended yet.
const TRANSIENT = /lock file .* (already exists|is empty)|could not bind|shared memory block .* still in use/;

async function refuseLasting(launch: Launch): Promise<void> {
  if (launch.ended === 0) return; // another command used it and stopped it before we joined
  const words = await lastWords(launch);
  if (TRANSIENT.test(words)) return;
  throw new EmbeddedServerFailed(`PostgreSQL does not start: ${words}`, {
    advice: `Its log is ${launch.logFile}.`,
  });
}

const PASSING = ['57P01', '57P02', '57P03']; // stopping, crashed, starting

/** A session that counts as a user of the server; undefined if the server is not up, or no longer. */
async function enter(url: string): Promise<pg.Client | undefined> {
  const session = new pg.Client({
    connectionString: url,
    application_name: 'nightshift session',
    keepAlive: true,
  });
  session.on('error', () => {});
  try {
    await session.connect();
    await session.query(`select pg_advisory_lock_shared(${lock.using})`); // waits while another command stops it
    return session;
  } catch (error) {
    await session.end().catch(() => {});
    // An error that no server sent is a broken or failed connection: the server is looked for again.
    if (error instanceof pg.DatabaseError && !PASSING.includes(error.code ?? '')) throw error;
    return undefined;
  }
}

/**
 * Two commands that leave at once do so one after the other; else each would see the other and neither would stop the
 * server.
 */
async function leave(cluster: Cluster, session: pg.Client): Promise<void> {
  const last = await session
    .query(`select pg_advisory_lock(${lock.leaving})`)
    .then(() => session.query(`select pg_try_advisory_lock(${lock.using}) as alone`))
    .then(({ rows }) => rows[0]?.alone === true)
    .catch(() => false); // the server is down already
  if (last) await stopServer(cluster);
  else await session.query(`select pg_advisory_unlock_shared(${lock.using})`).catch(() => {});
  await session.end().catch(() => {});
}

async function makeDatabase(session: pg.Client): Promise<void> {
  const { rowCount } = await session.query('select from pg_database where datname = $1', [DATABASE]);
  if (rowCount === 0) await session.query(`create database ${DATABASE}`).catch(acceptDuplicate);
}

// Of two sessions at once one is first; 23505 if both are in the middle of it.
function acceptDuplicate(error: pg.DatabaseError): void {
  if (error.code !== '42P04' && error.code !== '23505') throw error;
}
