/** What campaigns cost, by day. Storing what is stored already changes nothing and marks no day. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { type Campaign, keepCampaigns } from './campaigns.ts';

/** `amount` is decimal text in major units, and replaces what the source said of the day before. */
export type Spend = { campaignId: string; day: string; currency: string; source: string; amount: string };

/** How many rows are new or differ. */
export async function storeSpend(
  tx: Tx,
  { brandId, target, actor }: { brandId: string; target: string; actor?: string },
  spend: readonly Spend[],
): Promise<number> {
  await keepCampaigns(
    tx,
    brandId,
    spend.map(({ campaignId }) => campaignId),
  );
  const column = (name: keyof Spend) => spend.map((row) => row[name]);
  const { rows } = await tx.query<{ changed: number }>(
    `with written as (
       insert into app.campaign_spend as s (brand_id, campaign_id, day, currency, source, amount)
       select $1, campaign_id, day, currency, source, amount
       from unnest($2::uuid[], $3::date[], $4::text[], $5::text[], $6::numeric[])
         as n (campaign_id, day, currency, source, amount)
       order by day, campaign_id, currency, source
       on conflict (brand_id, day, campaign_id, currency, source)
       do update set amount = excluded.amount, changed_at = now() where s.amount <> excluded.amount
       returning day
     ), marked as (
       insert into ops.marks (brand_id, subject, day, marked_at)
       select distinct $1::uuid, 'campaigns', day, now() from written
     )
     select count(*)::int as changed from written`,
    [brandId, ...(['campaignId', 'day', 'currency', 'source', 'amount'] as const).map(column)],
  );
  const { changed = 0 } = rows[0] ?? {};
  const details = { rows: spend.length, changed };
  if (changed > 0) await recordAction(tx, { action: 'campaigns.spend', brandId, target, details, actor });
  return changed;
}

export async function listSpend(db: Reader, { brandId, id }: Campaign): Promise<Omit<Spend, 'campaignId'>[]> {
  const { rows } = await db.query<Omit<Spend, 'campaignId'>>(
    `select day::text, currency, source, trim_scale(amount)::text as amount from app.campaign_spend
     where brand_id = $1 and campaign_id = $2 order by day, currency, source`,
    [brandId, id],
  );
  return rows;
}
