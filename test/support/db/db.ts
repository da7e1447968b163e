import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { inject } from 'vitest';
import { type Db, openDb } from '#sql/db/pool.ts';
import { recycled } from './recycle.ts';

export type TestDb = Db & {
  url: string;
  name: string;
  /** The first column of every row. */
  column(text: string, values?: unknown[]): Promise<unknown[]>;
  rows<R extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
};

/** A database with its schema and nothing else, for one test: a copy of the template, or one that was made so again. */
export async function freshDb(): Promise<TestDb> {
  const baseline = inject('baseline');
  const { name, since } = ready.pop() ?? { name: await copyOf(inject('template')), since: baseline.since };
  return open(name, async (url) => {
    const again = await recycled(url, { ...baseline, since });
    if (again !== undefined && ready.length < READY_MAX) ready.push({ name, since: again });
  });
}

/** A database without any schema of ours. */
export async function emptyDb(): Promise<TestDb> {
  return open(await copyOf('template0'), async () => {});
}

/** Of this process, left by tests that have ended. */
const ready: { name: string; since: string }[] = [];
const READY_MAX = 8;

// Nobody drops it before the run ends: a file system that has just removed a database's hundreds of
// files is several times slower at making those of the next one.
async function copyOf(template: string): Promise<string> {
  const name = `${inject('template')}_${randomBytes(5).toString('hex')}`;
  // A connection of its own each time: `create database` wants nobody on the template, and is rare.
  await using admin = openDb(inject('serverUrl'), { applicationName: 'nightshift test admin', max: 1 });
  await admin.query(`create database ${name} template ${template} encoding 'UTF8' strategy file_copy`);
  return name;
}

function open(name: string, leave: (url: string) => Promise<void>): TestDb {
  const url = new URL(inject('serverUrl'));
  url.pathname = name;
  const db = openDb(url.href, { applicationName: 'nightshift test', max: 10 });
  return {
    ...db,
    url: url.href,
    name,
    column: async (text, values) => (await db.query(text, values)).rows.map((row) => Object.values(row)[0]),
    rows: async <R extends pg.QueryResultRow>(text: string, values?: unknown[]) =>
      (await db.query<R>(text, values)).rows,
    [Symbol.asyncDispose]: async () => {
      await db[Symbol.asyncDispose]();
      await leave(url.href);
    },
  };
}
