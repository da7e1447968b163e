/** What a restore does first: the brand comes to rest, and a snapshot keeps what is there. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Db, openDb } from '#sql/db/pool.ts';
import { NotPaused, pause, resume } from '#sql/queue/pauses.ts';
import { runningJobs } from '#sql/snapshots/restore/live.ts';
import { beginSnapshotRun, endSnapshotRun } from '#sql/snapshots/runs.ts';
import type { Scope } from '#sql/snapshots/tables.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import type { SnapshotServices } from '../../task.ts';
import { createSnapshot } from '../create.ts';
import type { Manifest } from '../manifest.ts';
import { RestoreRefused } from './into_schema.ts';

type Brand = { id: string; slug: string };

const READERS = 2;
/** Workers know of a pause within a second. */
const KNOWN_MS = 1_500;
const REST_MS_MAX = 60_000;
const LOOK_MS = 250;
/** A restore that is killed leaves its pause, which ends by itself. */
const PAUSE_MORE_MS = 10 * 60_000;

/** Leaving the scope lets the jobs of the brand go on, unless a person had paused them before. */
export async function atRest(
  db: Db,
  brand: Brand,
  { limitSeconds, signal }: { limitSeconds: number; signal: AbortSignal },
): Promise<AsyncDisposable> {
  signal.throwIfAborted();
  const { rows } = await db.query<{ paused: boolean }>(
    `select exists (select from ops.current_pauses
       where flag = ops.pause_flag(null, null, $1, null) and not by_breaker) as paused`,
    [brand.id],
  );
  if (rows[0]?.paused) {
    await awaitRest(db, brand, signal);
    return { async [Symbol.asyncDispose]() {} };
  }
  const until = new Date(Date.now() + 2 * limitSeconds * 1_000 + PAUSE_MORE_MS).toISOString();
  const target = `brand ${brand.slug}`;
  await pause(db, { brandId: brand.id }, { target, reason: 'a restore', until, by: currentAccount() });
  const goOn = () =>
    resume(db, { brandId: brand.id }, target).catch((error) => {
      if (!(error instanceof NotPaused)) throw error; // somebody was faster
    });
  try {
    await sleep(KNOWN_MS, undefined, { signal });
    await awaitRest(db, brand, signal);
  } catch (error) {
    await goOn();
    throw error;
  }
  return { [Symbol.asyncDispose]: goOn };
}

async function awaitRest(db: Db, { id, slug }: Brand, signal: AbortSignal): Promise<void> {
  for (const began = performance.now(); ; ) {
    const running = await runningJobs(db, id);
    if (running.length === 0) return;
    if (performance.now() - began > REST_MS_MAX)
      throw new RestoreRefused(
        `Brand ${slug} is at work: ${running.join(', ')} has not ended for ${REST_MS_MAX / 1_000} seconds. Nothing was changed.`,
        `Pause it, and restore once nothing runs: npx nightshift jobs pause --brand ${slug} --reason restore`,
      );
    await sleep(LOOK_MS, undefined, { signal });
  }
}

type Keeping = Omit<SnapshotServices, 'rate'> & {
  db: Db;
  sealer: Sealer;
  brand: Brand;
  scope: Scope;
  signal: AbortSignal;
};

/** Without the queue, whose jobs of the brand are at rest. */
export async function keepPresent(options: Keeping): Promise<Manifest> {
  const { db, url, minutes, brand } = options;
  const limitSeconds = minutes * 60;
  await using reading = openDb(url, {
    ...{ applicationName: 'nightshift snapshot', max: READERS + 1, statementTimeoutMs: limitSeconds * 1_000 },
  });
  const brandId = brand.id;
  const run = await db.transaction((tx) => beginSnapshotRun(tx, { brandId, kind: 'create' }));
  try {
    const { id, content, complete } = await createSnapshot({
      ...{ ...options, reading, readers: READERS, limitSeconds, bytesPerSecond: 0, progress: () => {} },
    });
    await db.transaction(async (tx) => {
      await complete(tx);
      await endSnapshotRun(tx, { brandId, run, snapshotId: id, tally: content.totals });
    });
    return content;
  } catch (error) {
    await db.transaction((tx) => endSnapshotRun(tx, { brandId, run, error })).catch(() => {}); // the error says it too
    throw error;
  }
}
