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
  const { db, since } = ready.pop() ?? { db: open(await copyOf(inject('template'))), since: baseline.since };
  return lent(db, async () => {
    const again = await recycled(db, { ...baseline, since });
    if (again !== undefined && ready.length < READY_MAX) ready.push({ db, since: again });
    else await db[Symbol.asyncDispose]();
  });
}

/** A database without any schema of ours. */
export async function emptyDb(): Promise<TestDb> {
  return open(await copyOf('template0'));
}

/** Of this process, left by tests that have ended, each with a session that knows its catalogue. */
const ready: { db: TestDb; since: string }[] = [];
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

function open(name: string): TestDb {
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
  };
}

/** For one test: what it began and did not wait for finds no database any more. */
function lent(db: TestDb, giveBack: () => Promise<void>): TestDb {
  let isOver = false;
  const whileLent =
    <A extends unknown[], R>(work: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      if (isOver) throw new Error('The test that had this database has ended.');
      return work(...given);
    };
  return {
    ...db,
    query: whileLent(db.query) as TestDb['query'],
    transaction: whileLent(db.transaction) as TestDb['transaction'],
    bracketed: whileLent(db.bracketed) as TestDb['bracketed'],
    rows: whileLent(db.rows) as TestDb['rows'],
    column: whileLent(db.column),
    [Symbol.asyncDispose]: async () => {
      if (isOver) return;
      isOver = true;
      await giveBack();
    },
  };
}
