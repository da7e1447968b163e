/** Marks what links name. Which orders that reaches is looked up by the rollup. */
import type { Tx } from '../db/pool.ts';
import type { Cause } from '../rollups/causes.ts';

/** Those of a campaign, a single one, or all of the brand. */
export async function markLinks(
  tx: Tx,
  brandId: string,
  {
    campaignId,
    kind,
    value,
    cause,
  }: { campaignId?: string; kind?: string; value?: string; cause?: Cause } = {},
): Promise<void> {
  await tx.query(
    `insert into ops.marks (brand_id, subject, object, cause, marked_at)
     select brand_id, 'links', kind || ' ' || value, $5, now() from app.campaign_links
     where brand_id = $1 and ($2::uuid is null or campaign_id = $2) and ($3::text is null or (kind, value) = ($3, $4::text))`,
    [brandId, campaignId ?? null, kind ?? null, value ?? null, cause ?? null],
  );
}
