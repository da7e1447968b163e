/** The resources of a command: configuration, database and log, opened in order and closed in reverse. */
import { type Config, readConfig } from '#runtime/config.ts';
import { type Log, makeLog } from '#runtime/log.ts';
import { cleanUpOnSignal } from '#runtime/shutdown.ts';
import { assertSchema } from '#sql/db/migrate.ts';
import { type Db, openDb } from '#sql/db/pool.ts';
import { openServer, type Server } from '#sql/embedded/open_server.ts';
import type { Cli } from './noun.ts';

export type Session = AsyncDisposable & {
  config: Config;
  log: Log;
  url: string;
  /** Whether the server is the embedded one. */
  embedded: boolean;
  /** Rejects when the embedded server is gone for good. */
  lost: Promise<never>;
  db: Db;
};

export type SessionOptions = {
  /** A schema of another version is refused, unless the command migrates it or shows it. */
  anySchema?: boolean;
  /** For a long-running process, which logs what it does. A short command logs problems only. */
  longRunning?: boolean;
};

export async function openSession(cli: Cli, options: SessionOptions = {}): Promise<Session> {
  const config = readConfig(cli.env);
  const quiet = !options.longRunning && !cli.env.NIGHTSHIFT_LOG_LEVEL;
  const log = makeLog(quiet ? 'error' : config.logLevel, 'cli', cli.io.log);
  await using opening = new AsyncDisposableStack();
  const { databaseUrl, dataDir } = config;
  const server = await openOrderly(opening, openServer({ databaseUrl, dataDir, log }));
  const db = opening.use(openDb(server.url, { applicationName: 'nightshift cli' }));
  if (!options.anySchema) await assertSchema(db);
  const opened = opening.move();
  return {
    ...{ config, log, db, url: server.url, lost: server.lost, embedded: databaseUrl === undefined },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** An interrupted command also stops the embedded server, because nothing else would. */
async function openOrderly(opening: AsyncDisposableStack, server: Promise<Server>): Promise<Server> {
  opening.use(cleanUpOnSignal(async () => (await server)[Symbol.asyncDispose]()));
  return opening.use(await server);
}
