/** Whether persons were erased after the instant of a snapshot: its rows still name them. */
import type { Reader } from '../db/reader.ts';

/** An erasure that was begun before and ended after it is one too. */
export async function erasedSince(db: Reader, brandId: string, at: Date): Promise<boolean> {
  const { rows } = await db.query<{ erased: boolean }>(
    `select exists (select from ops.erased_identifiers where brand_id = $1 and erased_at >= $2)
         or exists (select from ops.privacy_requests
                    where brand_id = $1 and kind <> 'export'
                      and (done_at >= $2 or done_at is null and progress is not null)) as erased`,
    [brandId, at],
  );
  return rows[0]?.erased ?? false;
}
