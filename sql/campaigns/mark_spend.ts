/** Marks the days on which campaigns cost anything: whose spend it is has changed. */
import type { Tx } from '../db/pool.ts';

export async function markSpend(tx: Tx, brandId: string, campaignId: string): Promise<void> {
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, marked_at)
     select distinct brand_id, 'campaigns', day, now() from app.campaign_spend where brand_id = $1 and campaign_id = $2`,
    [brandId, campaignId],
  );
}

/** Campaigns of a retailer that is being removed are for all retailers from here on. */
export async function releaseCampaigns(tx: Tx, brandId: string, retailerId: string): Promise<void> {
  const { rows } = await tx.query<{ id: string }>(
    'update app.campaigns set retailer_id = null where brand_id = $1 and retailer_id = $2 returning id',
    [brandId, retailerId],
  );
  for (const { id } of rows) await markSpend(tx, brandId, id);
}
