/** Snapshots that expire, without the queue, in the steps of the job. */
import { openDb } from '#sql/db/pool.ts';
import { listSnapshots } from '#sql/snapshots/catalogue.ts';
import { type ExpireOptions, expireSnapshots } from '#tasks/snapshots/expiry/expire.ts';
import type { Store } from '#tasks/snapshots/store.ts';
import { verifySnapshot } from '#tasks/snapshots/verify.ts';
import type { TestDb } from '../db/db.ts';
import { testSealer } from '../rows/factory.ts';

export const LOCKING = 'nightshift test expiry';

export async function runExpiry(
  db: TestDb,
  store: Store,
  brandId: string,
  given: Partial<ExpireOptions> = {},
) {
  await using locking = openDb(db.url, { applicationName: LOCKING, max: 1 });
  return await expireSnapshots({
    ...{ db, locking, store, sealer: testSealer, brandId, signal: new AbortController().signal },
    ...{ graceSeconds: 0, now: new Date(), ...given },
  });
}

/** As if it had been made so long ago. */
export async function makeOlder(db: TestDb, id: string, days: number): Promise<void> {
  await db.query(
    'update ops.snapshots set created_at = created_at - make_interval(days => $2) where id = $1',
    [id, days],
  );
}

/** What is wrong with the snapshots that are listed; nothing if all of them are whole. */
export async function damagesOf(db: TestDb, store: Store, brandId: string): Promise<string[]> {
  const found: string[] = [];
  for (const snapshot of await listSnapshots(db, { brandId }))
    found.push(...(await verifySnapshot({ db, store, sealer: testSealer, snapshot, level: 1 })).damages);
  return found;
}

/** The server ends the sessions of that name, as when a machine is lost. */
export async function loseSessions(db: TestDb, applicationName: string): Promise<void> {
  await db.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = $1`,
    [applicationName],
  );
}
