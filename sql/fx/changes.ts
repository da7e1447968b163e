/**
 * Changes of exchange rates, and how far each was passed on. A publication only notes its change. Each brand then
 * compares its own rows in a job of its own. The row of the change says up to which brand these jobs are queued, so
 * that a run after a crash queues none twice and skips none.
 */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';

/** Which rows a change of rates may move. */
export type Reach = {
  /** Whose rates have changed. */
  currencies: readonly string[];
  from: string;
  /** 'infinity' where there is no end. */
  to: string;
};

/** Publications follow each other, so notes commit in the order of their ids. */
export async function noteChange(tx: Tx, { currencies, from, to }: Reach, now: Date): Promise<void> {
  await tx.query(
    'insert into ops.fx_changes (currencies, from_day, to_day, noted_at) values ($1, $2, $3, $4)',
    [currencies, from, to, now],
  );
}

export type BrandsToPass = { changeId: number; brandIds: string[] };

/**
 * The newest change, if it was not passed on to its end, and the next brands that it has to reach. A brand compares
 * its rows with all changes that it has not noticed, so the newest change stands for those before it.
 */
export async function nextBrands(db: Reader, limit: number): Promise<BrandsToPass | undefined> {
  const { rows } = await db.query<BrandsToPass>(
    `select x.id as "changeId", array(
       select b.id from app.brands b
       where b.id > coalesce(x.passed_to, '00000000-0000-0000-0000-000000000000') and b.removing_at is null
       order by b.id limit $1) as "brandIds"
     from (select * from ops.fx_changes order by id desc limit 1) x
     where x.passed_at is null`,
    [limit],
  );
  return rows[0];
}

/** In the transaction that queues the job of the brand. */
export async function notePassed(tx: Tx, changeId: number, brandId: string): Promise<void> {
  await tx.query('update ops.fx_changes set passed_to = $2 where id = $1', [changeId, brandId]);
}

/** Each brand has its job: of this change, and so of all before it. */
export async function finishPassing(tx: Tx, changeId: number, now: Date): Promise<void> {
  await tx.query(
    'update ops.fx_changes set passed_to = null, passed_at = $2 where id <= $1 and passed_at is null',
    [changeId, now],
  );
}
