import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { inject } from 'vitest';
import { type Db, openDb } from '#sql/db/pool.ts';

export type TestDb = Db & {
  url: string;
  name: string;
  /** The first column of every row. */
  column(text: string, values?: unknown[]): Promise<unknown[]>;
  rows<R extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
};

/** A database of its own for one test: a copy of the migrated template, gone after the test. */
export function freshDb(): Promise<TestDb> {
  return copyOf(inject('template'));
}

/** A database without any schema of ours. */
export function emptyDb(): Promise<TestDb> {
  return copyOf('template0');
}

async function copyOf(template: string): Promise<TestDb> {
  const name = `nightshift_test_${process.pid}_${randomBytes(5).toString('hex')}`;
  await onServer(`create database ${name} template ${template} encoding 'UTF8' strategy file_copy`);
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
      // An embedded server goes away as a whole, and a file system that has just removed a database's
      // hundreds of files is several times slower at making those of the next one.
      if (!inject('serverIsOurs')) await onServer(`drop database if exists ${name} with (force)`);
    },
  };
}

// A connection of its own each time: `create database` wants nobody on the template, and is rare.
async function onServer(statement: string): Promise<void> {
  await using admin = openDb(inject('serverUrl'), { applicationName: 'nightshift test admin', max: 1 });
  await admin.query(statement);
}
