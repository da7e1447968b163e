/** Campaigns of a brand. What the rollups must compute again after a change is marked in its transaction. */
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { only } from '../tenants/brands.ts';
import { named, taking } from '../tenants/names.ts';
import { keepBrand, keepRetailer } from '../tenants/removing.ts';
import { markLinks } from './mark_links.ts';
import { markSpend } from './mark_spend.ts';

export type CampaignFields = {
  name: string;
  startsOn: string | null;
  endsOn: string | null;
  /** Decimal text in major units. */
  budget: string | null;
  budgetCurrency: string | null;
  /** The retailer that its spend is for; null: for all. */
  retailerId: string | null;
};

export type Campaign = CampaignFields & { id: string; brandId: string; slug: string };

type Acting = { actor?: string };

export class CampaignGone extends coded('NS_CAMPAIGN_GONE') {
  constructor(brandId: string, campaignIds: readonly string[]) {
    super('A campaign was removed meanwhile. Nothing was stored.', {
      hint: 'See which there are: npx nightshift campaigns list --help',
      context: { brandId, campaignIds },
    });
  }
}

const COLUMNS = `id, brand_id as "brandId", slug, name, starts_on as "startsOn", ends_on as "endsOn",
  trim_scale(budget)::text as budget, budget_currency as "budgetCurrency", retailer_id as "retailerId"`;

/** Days of all orders are marked with the first campaign: until then nobody asks which orders belong to none. */
export async function addCampaign(
  tx: Tx,
  { brandId, slug, actor, ...fields }: Omit<Campaign, 'id'> & Acting,
): Promise<Campaign> {
  await keepOwner(tx, brandId, fields.retailerId);
  await lockCampaigns(tx, brandId);
  const isFirst = (await listCampaigns(tx, brandId)).length === 0;
  const { name, startsOn, endsOn, budget, budgetCurrency, retailerId } = fields;
  const { rows } = await taking('campaign', slug, () =>
    tx.query<Campaign>(
      `insert into app.campaigns (brand_id, slug, name, starts_on, ends_on, budget, budget_currency, retailer_id)
       values ($1, $2, $3, $4, $5, $6, $7, $8) returning ${COLUMNS}`,
      [brandId, slug, name, startsOn, endsOn, budget, budgetCurrency, retailerId],
    ),
  );
  if (isFirst) await markOrderDays(tx, brandId);
  await recordAction(tx, { action: 'campaigns.add', brandId, target: slug, after: fields, actor });
  return only(rows);
}

export async function listCampaigns(db: Reader, brandId: string): Promise<Campaign[]> {
  const { rows } = await db.query<Campaign>(
    `select ${COLUMNS} from app.campaigns where brand_id = $1 order by slug`,
    [brandId],
  );
  return rows;
}

export async function findCampaign(db: Reader, brandId: string, slug: string): Promise<Campaign> {
  return named('campaign', slug, await listCampaigns(db, brandId), (campaign) => campaign.slug);
}

export async function editCampaign(
  tx: Tx,
  campaign: Campaign,
  changes: Partial<CampaignFields>,
  { actor }: Acting = {},
): Promise<void> {
  const { brandId, id, slug: target, ...before } = campaign;
  const after = { ...before, ...changes };
  if (after.retailerId !== before.retailerId) {
    await keepOwner(tx, brandId, after.retailerId);
    await markSpend(tx, brandId, id);
  }
  const given = [changes.name, changes.startsOn, changes.endsOn, changes.budget, changes.budgetCurrency];
  const { rowCount } = await tx.query(
    `update app.campaigns set name = coalesce($3, name), starts_on = coalesce($4, starts_on), ends_on = coalesce($5, ends_on),
       budget = coalesce($6, budget), budget_currency = coalesce($7, budget_currency), retailer_id = $8
     where brand_id = $1 and id = $2`,
    [brandId, id, ...given.map((value) => value ?? null), after.retailerId],
  );
  if (rowCount === 0) throw new CampaignGone(brandId, [id]);
  await recordAction(tx, { action: 'campaigns.edit', brandId, target, before, after, actor });
}

/** With its links and spend. Its orders go to the next touch that names a campaign, or to none. */
export async function removeCampaign(
  tx: Tx,
  { brandId, id, slug: target, name }: Campaign,
  { actor }: Acting = {},
): Promise<void> {
  const which = [brandId, id];
  await lockCampaigns(tx, brandId);
  const { rowCount } = await tx.query(
    'select from app.campaigns where brand_id = $1 and id = $2 for update', // for keepCampaigns
    which,
  );
  if (rowCount === 0) throw new CampaignGone(brandId, [id]);
  await markLinks(tx, brandId, { campaignId: id });
  await tx.query('delete from app.campaign_links where brand_id = $1 and campaign_id = $2', which);
  await tx.query(
    `with gone as (delete from app.campaign_spend where brand_id = $1 and campaign_id = $2 returning day)
     insert into ops.marks (brand_id, subject, day, marked_at) select distinct $1::uuid, 'campaigns', day, now() from gone`,
    which,
  );
  await tx.query('delete from app.campaigns where brand_id = $1 and id = $2', which);
  if ((await listCampaigns(tx, brandId)).length === 0) await markOrderDays(tx, brandId);
  await recordAction(tx, { action: 'campaigns.remove', brandId, target, before: { name }, actor });
}

/** Keeps these until the transaction ends, for what is theirs: removing one waits, or was first. */
export async function keepCampaigns(tx: Tx, brandId: string, ids: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from app.campaigns where brand_id = $1 and id = any ($2::uuid[]) order by id for key share',
    [brandId, ids],
  );
  const kept = new Set(rows.map(({ id }) => id));
  const gone = [...new Set(ids)].filter((id) => !kept.has(id));
  if (gone.length > 0) throw new CampaignGone(brandId, gone);
}

/** Sets how long after a touch an order may be credited to it; every order is looked at again. */
export async function setWindow(
  tx: Tx,
  brandId: string,
  hours: number,
  { actor }: Acting = {},
): Promise<void> {
  const { rows } = await tx.query<{ slug: string; hours: number }>(
    'select slug, attribution_hours as hours from app.brands where id = $1 for no key update',
    [brandId],
  );
  const { slug: target, hours: before } = only(rows);
  if (before === hours) return;
  await tx.query('update app.brands set attribution_hours = $2 where id = $1', [brandId, hours]);
  await markLinks(tx, brandId, { cause: 'changed_definition' });
  const change = { before: { hours: before }, after: { hours } };
  await recordAction(tx, { action: 'campaigns.window', brandId, target, ...change, actor });
}

async function keepOwner(tx: Tx, brandId: string, retailerId: string | null): Promise<void> {
  await (retailerId === null ? keepBrand(tx, brandId) : keepRetailer(tx, brandId, retailerId));
}

/** One after the other: the first and the last campaign of a brand move the days of all orders. */
async function lockCampaigns(tx: Tx, brandId: string): Promise<void> {
  await tx.query('select from app.brands where id = $1 for no key update', [brandId]);
}

/** Figures that begin, or end, were told to nobody or are no more: no day of them is a restatement. */
async function markOrderDays(tx: Tx, brandId: string): Promise<void> {
  await tx.query(`delete from ops.final_days where brand_id = $1 and figures = 'campaigns'`, [brandId]);
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, marked_at)
     select distinct brand_id, 'campaigns', day, now() from agg.order_days where brand_id = $1`,
    [brandId],
  );
}
