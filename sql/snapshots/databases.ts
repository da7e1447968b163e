/**
 * Databases that are made for a snapshot, beside the live one or on another server. Their names say which database made them.
 * While one is in use, a session at the live database holds a lock of its name, which ends with the process: what has no lock
 * and no session was left behind.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { coded } from '#runtime/errors.ts';
import { type Db, openDb, placeOf, type Tx } from '../db/pool.ts';

export type Servers = {
  /** The live database. */
  url: string;
  /** The server where they are made; that of the live one if not said. */
  server?: string | undefined;
  limitSeconds: number;
};

export type MadeDatabase = {
  db: Db;
  url: string;
  name: string;
  /** It stays, under this name. From here on nobody may use `db`. */
  keepAs(name: string): Promise<void>;
};

const LEFT_MAX = 20;
const SESSIONS = 4;
/** A drop that has to end sessions, and then write out what they had. */
const SPARE_SECONDS = 60;

export class NoDatabaseMade extends coded('NS_SNAPSHOT_DATABASE') {
  constructor(url: string, cause: Error) {
    super(`No database can be made on ${placeOf(url)}: ${cause.message}`, {
      hint: 'Let the account make some (psql: alter role NAME createdb), or name another server: --server, NIGHTSHIFT_DRILL_URL.',
      cause,
    });
  }
}

/** Empty; gone afterwards, in any case but that of a crash: then the next one removes it. */
export async function withDatabase<T>(
  { url, server = url, limitSeconds }: Servers,
  work: (made: MadeDatabase) => Promise<T>,
): Promise<T> {
  const statementTimeoutMs = limitSeconds * 1_000;
  await using admin = openDb(server, { applicationName: 'nightshift drill', max: 1, statementTimeoutMs });
  await using live = openDb(url, { applicationName: 'nightshift drill', max: 2 });
  const prefix = await prefixOf(live);
  await dropLeftOver(admin, live, prefix);
  const name = `${prefix}${randomBytes(5).toString('hex')}`;
  return await live.transaction(async (tx) => {
    await tx.query("select set_config('idle_in_transaction_session_timeout', $1, true)", [
      `${2 * limitSeconds + SPARE_SECONDS}s`,
    ]);
    await lock(tx, name);
    await admin.query(`create database ${name} template template0 encoding 'UTF8'`).catch((error) => {
      throw error instanceof pg.DatabaseError && error.code === DENIED
        ? new NoDatabaseMade(server, error)
        : error;
    });
    return inDatabase(admin, { server, name, statementTimeoutMs }, work);
  });
}

const DENIED = '42501';

type Place = { server: string; name: string; statementTimeoutMs: number };

async function inDatabase<T>(
  admin: Db,
  { server, name, statementTimeoutMs }: Place,
  work: (made: MadeDatabase) => Promise<T>,
): Promise<T> {
  const url = urlOf(server, name);
  const db = openDb(url, { applicationName: 'nightshift drill', max: SESSIONS, statementTimeoutMs });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await db[Symbol.asyncDispose]();
    isOpen = false;
  };
  const drop = async () => {
    await close();
    await admin.query(`drop database if exists ${name} with (force)`);
  };
  const keepAs = async (other: string) => {
    await close();
    await admin.query(`alter database ${name} rename to ${other}`);
  };
  const result = await work({ db, url, name, keepAs }).catch(async (error) => {
    await drop().catch(() => {}); // why it failed says more, and the next one drops what is left
    throw error;
  });
  await drop();
  return result;
}

/** The same server, and another database of it. */
export function urlOf(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = name;
  return url.href;
}

export async function databaseExists(server: string, name: string): Promise<boolean> {
  await using admin = openDb(server, { applicationName: 'nightshift drill', max: 1 });
  const { rows } = await admin.query('select from pg_database where datname = $1', [name]);
  return rows.length > 0;
}

/** The same on each server, and different for each live database. */
async function prefixOf(live: Db): Promise<string> {
  const { rows } = await live.query<{ id: string }>(
    `select left(md5(s.system_identifier || ' ' || d.oid), 10) as id
     from pg_control_system() s, pg_database d where d.datname = current_database()`,
  );
  return `nightshift_drill_${rows[0]?.id}_`;
}

async function lock(tx: Tx, name: string): Promise<boolean> {
  const { rows } = await tx.query<{ ours: boolean }>(
    "select pg_try_advisory_xact_lock(hashtextextended('database ' || $1, 0)) as ours",
    [name],
  );
  return rows[0]?.ours ?? false;
}

const IN_USE = '55006';

async function dropLeftOver(admin: Db, live: Db, prefix: string): Promise<void> {
  const { rows } = await admin.query<{ name: string }>(
    `select d.datname as name from pg_database d
     where starts_with(d.datname, $1) and not exists (select from pg_stat_activity a where a.datid = d.oid)
     order by 1 limit $2`,
    [prefix, LEFT_MAX],
  );
  for (const { name } of rows)
    await live.transaction(async (tx) => {
      if (!(await lock(tx, name))) return;
      await admin.query(`drop database if exists ${name}`).catch((error) => {
        if (!(error instanceof pg.DatabaseError) || error.code !== IN_USE) throw error;
      });
    });
}
