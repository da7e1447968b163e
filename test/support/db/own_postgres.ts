/** A PostgreSQL for one test alone, or for those of a file, which may be stopped as if the machine had lost its power. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { openDb } from '#sql/db/pool.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { eventually } from '../eventually.ts';
import { quiet } from '../run.ts';
import type { TestDb } from './db.ts';
import { embeddedHome, removeDataDir } from './embedded_home.ts';
import { copyCluster } from './ready_cluster.ts';

type OwnServer = AsyncDisposable & {
  url: string;
  isUp(): boolean;
  /** `immediate`: nobody is told, nothing is written down; the next start recovers. */
  stop(how: 'immediate' | 'fast'): Promise<void>;
  /** At the same address as before. */
  start(): Promise<void>;
};

/** Its connections come back by themselves when the server does. */
export type OwnPostgres = OwnServer & { db: TestDb };

export type OwnOptions = {
  /** Its schema is ours, if not asked otherwise. */
  migrated?: boolean;
  settings?: Record<string, string>;
  /** What is done to the directory of its cluster before it starts; undone once it is down. */
  prepare?: (home: string) => Promise<AsyncDisposable>;
};

export async function ownPostgres(options: OwnOptions = {}): Promise<OwnPostgres> {
  await using opening = new AsyncDisposableStack();
  const server = opening.use(await ownServer(options));
  const db = opening.use(testDb(server.url));
  const opened = opening.move();
  return { ...server, db, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** A server for the tests of a file one after the other: what it gives is up, and has a new database. */
export function postgresOfFile(): () => Promise<OwnPostgres> {
  let server: OwnServer;
  let made = 0;
  beforeAll(async () => {
    server = await ownServer({});
  });
  afterAll(() => server[Symbol.asyncDispose]());
  return async () => {
    if (!server.isUp()) await server.start();
    const url = new URL(server.url);
    await using template = testDb(server.url);
    const name = `${template.name}_${++made}`;
    await template.query(`create database ${name} template ${template.name}`);
    url.pathname = name;
    const db = testDb(url.href);
    return { ...server, db, [Symbol.asyncDispose]: () => db[Symbol.asyncDispose]() };
  };
}

async function ownServer({ migrated = true, settings, prepare }: OwnOptions): Promise<OwnServer> {
  await using opening = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'nightshift-own-'));
  opening.defer(() => removeDataDir(dataDir));
  if (migrated) await copyCluster(inject('cluster'), dataDir);
  const home = await embeddedHome(dataDir);
  if (prepare && home) opening.use(await prepare(home));
  const options = { dataDir, log: quiet, settings: { port: await freePort(), fsync: 'off', ...settings } };
  let server = await openServer(options);
  let isUp = true;
  opening.defer(() => server[Symbol.asyncDispose]());
  const { url } = server;
  const opened = opening.move();
  return {
    url,
    isUp: () => isUp,
    stop: async (how) => {
      const pidFile = join((await embeddedHome(dataDir)) ?? '', 'data', 'postmaster.pid');
      const pid = Number.parseInt(await readFile(pidFile, 'utf8'), 10);
      process.kill(pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      isUp = false;
      // Not before the process is gone: while it goes, a session may still be answered.
      await eventually(async () => {
        if (isAlive(pid)) throw new Error(`Process ${pid} is still there.`);
      });
      await server[Symbol.asyncDispose](); // nobody takes part in a server that is down
    },
    start: async () => {
      server = await openServer(options);
      isUp = true;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function testDb(url: string): TestDb {
  const db = openDb(url, { applicationName: 'nightshift test' });
  return {
    ...db,
    url,
    name: 'nightshift',
    rows: async <R extends Record<string, unknown>>(text: string, values?: unknown[]) =>
      (await db.query<R>(text, values)).rows,
    column: async (text, values) => (await db.query(text, values)).rows.map((row) => Object.values(row)[0]),
  };
}

// Below those that systems give away by themselves: while the server is down, no other test of this
// machine may be given its port.
const [PORT_FROM, PORT_TO] = [18_000, 30_000];
const PORTS_TRIED_MAX = 100;

async function freePort(): Promise<string> {
  for (let tried = 0; tried < PORTS_TRIED_MAX; tried++) {
    const port = randomInt(PORT_FROM, PORT_TO);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return String(port);
  }
  throw new Error('No port is free.');
}
