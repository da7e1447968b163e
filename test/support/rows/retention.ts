/** The retention of the platform and then of each brand; gives the sums of what went. */
import { retention } from '#tasks/retention.ts';
import type { TestDb } from '../db/db.ts';
import { runTask } from '../run.ts';

export async function runRetention(db: TestDb, now?: string): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const brands = await db.column('select id from app.brands order by id');
  for (const brandId of [undefined, ...brands.map(String)])
    for (const [name, n] of Object.entries(await runTask(retention, { brandId, now }, db)))
      sums[name] = (sums[name] ?? 0) + Number(n);
  return sums;
}
