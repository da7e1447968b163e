/**
 * Rollups whose rows SQL cannot select: a task computes them, and their query reads them from $8. Everything else is as
 * with any rollup, the merge above all: it deletes what is gone, and writes what differs. They follow no marks.
 */
import type { Tx } from '../db/pool.ts';
import type { Rollup } from './rollup.ts';

export type GivenRows = {
  brandId: string;
  retailerId: string;
  /** The partitions. Those without a row have none afterwards. */
  days: readonly string[];
  /** As JSON; amounts are texts, which keep each digit. */
  rows: readonly object[];
  now: Date;
};

export async function mergeGiven(
  tx: Tx,
  { name, sql }: Rollup,
  { brandId, retailerId, days, rows: given, now }: GivenRows,
): Promise<{ written: number; deleted: number }> {
  const causes = days.map(() => null);
  const values = [brandId, days.map(() => retailerId), days, now, causes, null, 0, JSON.stringify(given)];
  const { rows } = await tx.query<{ written: number; deleted: number }>(sql, values);
  const [answer] = rows;
  if (answer === undefined) throw new TypeError(`the merge of ${name} gave no row`);
  return { written: answer.written, deleted: answer.deleted };
}
