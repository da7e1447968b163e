/** A year of one brand, its snapshot, and the tools of PostgreSQL that it is held against. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { openDb } from '../../sql/db/pool.ts';
import { sealer } from '../../sql/tenants/secrets.ts';
import { type Created, createSnapshot } from '../../tasks/snapshots/create.ts';
import { localStore } from '../../tasks/snapshots/local_store.ts';
import type { BenchDb } from '../support/server.ts';

/** So many times the orders of the year, in the same year. */
const TIMES = Number(process.env.NIGHTSHIFT_BENCH_TIMES ?? 1);
/** The first one after the rows were stored is slower: the machine still writes them to its disk. */
export const ROUNDS = 3;
const READERS = 2;
export const DUMP_LIMIT_MS = 30 * 60_000;
export const keys = sealer([{ id: 'bench', key: Buffer.alloc(32, 1) }]);
export const run = promisify(execFile);

export async function fillYear(db: BenchDb): Promise<void> {
  const text = readFileSync(new URL('../support/year.sql', import.meta.url), 'utf8');
  const sized = text
    .replace('26180', String(26_180 * TIMES))
    .replace(
      "i / 70 * interval '1 day' + i % 70 * interval '8 minutes'",
      `i / ${70 * TIMES} * interval '1 day' + i % ${70 * TIMES} * interval '${480 / TIMES} seconds'`,
    );
  await db.query(sized);
  await db.query('vacuum analyze');
}

export async function snapshot(db: BenchDb, dir: string): Promise<Created> {
  const { rows } = await db.query<{ id: string; slug: string }>('select id, slug from app.brands');
  const [brand] = rows;
  if (brand === undefined) throw new Error('There is no brand.');
  await using reading = openDb(db.url, { applicationName: 'nightshift bench snapshot', max: READERS + 1 });
  const made = await createSnapshot({
    ...{ db, reading, readers: READERS, store: localStore(dir), sealer: keys, brand, scope: 'all' as const },
    ...{ signal: new AbortController().signal, limitSeconds: 1_800, bytesPerSecond: 0, progress: () => {} },
  });
  await db.transaction(made.complete);
  return made;
}

export async function canDump(serverVersion: string): Promise<boolean> {
  const { stdout } = await run('pg_dump', ['--version']).catch(() => ({ stdout: '' }));
  return Number.parseInt(/ (\d+)/.exec(stdout)?.[1] ?? '0', 10) >= Number.parseInt(serverVersion, 10);
}
