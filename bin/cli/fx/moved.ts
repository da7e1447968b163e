/**
 * Counts the days that rates move: by comparison before the rollups, or from the records of the jobs that compared
 * them.
 */
import type { Db, Tx } from '#sql/db/pool.ts';
import type { Reach } from '#sql/fx/changes.ts';
import { countMoved } from '#sql/fx/days.ts';
import { fxBrand } from '#tasks/fx/fx_brand.ts';

const PAGE_BRANDS = 100;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

type InTransaction = <T>(fn: (tx: Tx) => Promise<T>) => Promise<T>;

/** Counts days whose rows differ from the rates, and their retailers; one brand per transaction. */
export async function daysToMove(
  inTransaction: InTransaction,
  reach: Reach | null,
): Promise<{ days: number; retailers: number }> {
  const sum = { days: 0, retailers: 0 };
  let after = BEFORE_ALL;
  for (let isLast = reach === null; !isLast; ) {
    const ids = await inTransaction((tx) => brandsAfter(tx, after));
    for (const id of ids) {
      const { days, owners } = await inTransaction((tx) => countMoved(tx, id, reach as Reach));
      sum.days += days;
      sum.retailers += owners.filter((owner) => owner !== null).length;
      after = id;
    }
    isLast = ids.length < PAGE_BRANDS;
  }
  return sum;
}

async function brandsAfter(tx: Tx, after: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from app.brands where id > $1 order by id limit $2',
    [after, PAGE_BRANDS],
  );
  return rows.map(({ id }) => id);
}

/** Counts the days that brands have marked since the last run of this job began. */
export async function daysMovedSince(db: Db, jobId: string): Promise<number> {
  const { rows } = await db.query<{ days: number }>(
    `select coalesce(sum((b.tally ->> 'days')::int), 0)::int as days from ops.job_runs b
     where b.task = $2 and b.id > (select max(r.id) from ops.job_runs r where r.job_id = $1)`,
    [jobId, fxBrand.name],
  );
  return rows[0]?.days ?? 0;
}
