/** A brand with rows to keep, a store in a directory of the test, and snapshots made as the job makes them. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDb } from '#sql/db/pool.ts';
import { partsOf } from '#sql/snapshots/catalogue.ts';
import type { Scope } from '#sql/snapshots/tables.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { snapshot } from '#tasks/snapshot.ts';
import { type CreateOptions, createSnapshot } from '#tasks/snapshots/create.ts';
import { localStore } from '#tasks/snapshots/local_store.ts';
import { fileOf, type Store } from '#tasks/snapshots/store.ts';
import type { TestDb } from '../db/db.ts';
import { testSealer } from '../rows/factory.ts';
import { runTask } from '../run.ts';

export type StoreDir = AsyncDisposable & {
  dir: string;
  store: Store;
  /** All files but drafts, with what they hold. */
  files(): Promise<Map<string, string>>;
};

export async function aStore(): Promise<StoreDir> {
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-snapshots-'));
  return {
    dir,
    store: localStore(dir),
    async files() {
      const found = await readdir(dir, { recursive: true, withFileTypes: true });
      const paths = found
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      const read = paths.map(async (path) => [path.slice(dir.length + 1), await readFile(path, 'latin1')]);
      return new Map((await Promise.all(read)) as [string, string][]);
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

type Brand = { id: string; slug: string };

/** By the task, with its fence and its records. */
export function runSnapshot(db: TestDb, { store }: Pick<StoreDir, 'store'>, brandId: string, scope?: Scope) {
  const services = { snapshots: { url: db.url, store, minutes: 10, rate: 0 } };
  return runTask(snapshot, { brandId, scope }, db, { services });
}

/** Without the queue, in the same steps. */
export async function makeSnapshot(
  db: TestDb,
  store: Store,
  brand: Brand,
  given: Partial<CreateOptions> & { sealer?: Sealer } = {},
) {
  await using reading = openDb(db.url, { applicationName: 'nightshift test snapshot', max: 3 });
  const made = await createSnapshot({
    ...{ db, reading, readers: 2, store, sealer: testSealer, brand, scope: 'all' as const },
    ...{ signal: new AbortController().signal, limitSeconds: 600, bytesPerSecond: 0, progress: () => {} },
    ...given,
  });
  await (given.db ?? db).transaction(made.complete);
  return made;
}

/** The name of the file of the first part of a table. */
export async function fileOfTable(
  db: TestDb,
  which: { brandId: string; id: string },
  table: string,
): Promise<string> {
  const part = (await partsOf(db, which)).find((one) => one.table === table);
  if (part === undefined) throw new Error(`there is no part of ${table}`);
  return fileOf.part(which.brandId, part);
}

/** Rows of a year in a table of raw and in one of figures, more than one part holds. */
export async function fillYear(
  db: TestDb,
  brandId: string,
  connectionId: string,
  rows = 24_000,
): Promise<void> {
  await db.query(
    `insert into raw.shopify_sales (brand_id, connection_id, id, order_id, agreement_id, reason, booked_at, action_type,
       line_type, line_id, quantity, currency, total_amount, tax_amount, discount_amount, changed_at, seen_at)
     select $1, $2, n, n / 3, n / 3, 'ORDER', timestamptz '2025-01-01Z' + n * interval '21 minutes', 'ORDER', 'PRODUCT', n,
       1 + n % 5, 'GBP', (100 + n % 977)::numeric / 100, 0, 0, '2026-01-01Z', '2026-01-01Z'
     from generate_series(1, $3::int) n`,
    [brandId, connectionId, rows],
  );
}
