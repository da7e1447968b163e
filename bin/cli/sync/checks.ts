/** The newest result of each check of a connection, for a person and for JSON. */

import type { Db } from '#sql/db/pool.ts';
import type { Connection } from '#sql/tenants/connections.ts';

export type ShownCheck = {
  stream: string;
  check: string;
  result: 'ok' | 'failed';
  /** What the provider says, what is stored, and the difference: exact decimal text. */
  expected: string | null;
  found: string | null;
  difference: string | null;
  cause: string | null;
  checked_at: Date;
  /** Since when the result is the same. */
  since: Date;
};

export async function readChecks(db: Db, { brandId, id }: Connection): Promise<ShownCheck[]> {
  const { rows } = await db.query<ShownCheck>(
    `select stream, check_name as check, case when ok then 'ok' else 'failed' end as result,
            trim_scale(expected)::text as expected, trim_scale(found)::text as found,
            trim_scale(found - expected)::text as difference, cause, checked_at, result_since as since
     from ops.completeness where brand_id = $1 and connection_id = $2
     order by ok, stream, check_name`,
    [brandId, id],
  );
  return rows;
}

export function failedOf(checks: readonly ShownCheck[]): ShownCheck[] {
  return checks.filter(({ result }) => result === 'failed');
}

/** `5 ok, 1 failed`; empty if nothing is checked. */
export function summaryOf(checks: readonly ShownCheck[]): string {
  const failed = failedOf(checks).length;
  const ok = checks.length - failed;
  return [ok > 0 && `${ok} ok`, failed > 0 && `${failed} failed`].filter(Boolean).join(', ');
}

/** One line: which check it is, by how much it fails, and why. */
export function lineOf({ check, expected, found, difference, cause }: ShownCheck): string {
  const figures = expected === null ? '' : ` expected ${expected}, found ${found} (difference ${difference})`;
  return `check '${check}' failed:${figures}${cause === null ? '' : `${figures && '.'} ${cause}`}`;
}
