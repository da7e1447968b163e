/** The records in quarantine of what a job has read. */
import type { Db } from '#sql/db/pool.ts';
import type { Run } from './runs.ts';

const REJECTED_MAX = 5;

type Rejected = { stream: string; row_key: string; reason: string };

/** The latest of the job's stream, or of all streams of its connection; none of a job that reads nothing. */
export async function rejectedOf(db: Db, { payload }: Pick<Run, 'payload'>): Promise<Rejected[]> {
  const { brandId, connectionId, stream = null } = payload;
  if (brandId === undefined || connectionId === undefined) return [];
  const { rows } = await db.query<Rejected>(
    `select stream, row_key, reason from ops.rejected_rows
     where brand_id = $1::uuid and connection_id = $2::uuid and ($3::text is null or stream = $3)
     order by rejected_at desc, stream, row_key limit ${REJECTED_MAX}`,
    [brandId, connectionId, stream],
  );
  return rows;
}

export function rejectedLines(rejected: readonly Rejected[]): string[] {
  return rejected.map(({ stream, row_key: key, reason }) => `  ${key} of ${stream}: ${reason}`);
}
