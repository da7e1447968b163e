/** Two brands with equal ids at their providers and figures of all kinds, computed by the job of production. */
import { builtIn } from '#connectors/providers.ts';
import { markAllDays } from '#sql/dirty/marks.ts';
import { markEvents } from '#sql/events/marks.ts';
import { markedOwners } from '#sql/snapshots/restore/live.ts';
import { rollup } from '#tasks/rollup.ts';
import type { TestDb } from '../db/db.ts';
import { addHistory, PER_DAY, type Seller, someSellers } from '../rows/history.ts';
import { runTask } from '../run.ts';

const ROUNDS_MAX = 20;
const DAYS = 2;
const AT = '2024-01-20T12:00:00.000Z';

export async function someFigures(db: TestDb): Promise<[Seller, ...Seller[]]> {
  const sellers = await someSellers(db);
  await addHistory(db, sellers, 0, DAYS * PER_DAY);
  for (const brandId of new Set(sellers.map((seller) => seller.brandId))) {
    const tables = builtIn.streams.flatMap((stream) => [...stream.tables]);
    const timeZones = ['UTC'];
    const marking = { brandId, timeZones, tables, cause: 'changed_definition', now: new Date(AT) } as const;
    await db.transaction(async (tx) => {
      await markAllDays(tx, marking);
      await markEvents(tx, brandId, timeZones);
    });
    await computeMarked(db, brandId);
  }
  return sellers;
}

/** Until no mark is left. */
export async function computeMarked(db: TestDb, brandId: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const owners = await db.transaction((tx) => markedOwners(tx, brandId));
    if (owners.length === 0) return;
    for (const retailerId of owners.reverse()) await runTask(rollup, { brandId, retailerId, now: AT }, db);
  }
  throw new Error('marks are left');
}
