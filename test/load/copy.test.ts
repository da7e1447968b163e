import { expect, test } from 'vitest';
import { copyLines } from '#sql/db/copy.ts';
import { openDb } from '#sql/db/pool.ts';
import { freshDb, type TestDb } from '../support/db/db.ts';

const COPY = 'copy public.numbers (n) from stdin';

/** One session, so that the next statement meets whatever the copy has left behind. */
function oneSession({ url }: TestDb) {
  return openDb(url, { applicationName: 'nightshift test', max: 1 });
}

function* numbers(count: number, then?: () => string): Generator<string> {
  for (let n = 0; n < count; n++) yield String(n);
  if (then) yield then();
}

test('as many lines as there are come in, also none', async () => {
  await using db = await freshDb();
  await db.query('create table public.numbers (n integer)');
  for (const count of [0, 1, 300_000]) {
    await db.transaction((tx) => copyLines(tx, COPY, numbers(count)));
    expect(await db.column('select count(*) from public.numbers')).toEqual([count]);
    await db.query('truncate public.numbers');
  }
});

test('lines that cannot be made break the copy off, and the session serves on', async () => {
  await using db = await freshDb();
  await using session = oneSession(db);
  await session.query('create table public.numbers (n integer)');
  const fails = () => {
    throw new TypeError('no such line');
  };
  const copied = session.transaction((tx) => copyLines(tx, COPY, numbers(300_000, fails)));
  await expect(copied).rejects.toThrow('no such line');
  await session.transaction((tx) => copyLines(tx, COPY, numbers(3)));
  expect(await db.column('select count(*) from public.numbers')).toEqual([3]);
});

test('lines that PostgreSQL refuses break it off while many more wait to be sent', async () => {
  await using db = await freshDb();
  await using session = oneSession(db);
  await session.query('create table public.numbers (n integer check (n <> 7))');
  const copied = session.transaction((tx) => copyLines(tx, COPY, numbers(2_000_000)));
  await expect(copied).rejects.toMatchObject({ code: '23514' });
  await session.query('select 1');
});
