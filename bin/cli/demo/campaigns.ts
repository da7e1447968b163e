/** Campaigns of the demo. What they cost is made up, and so is which orders followed their links (docs/sandbox.md). */
import { addCampaign, findCampaign } from '#sql/campaigns/campaigns.ts';
import { addLink } from '#sql/campaigns/links.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import type { Db } from '#sql/db/pool.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import { daysBetween } from '#tasks/rollup.ts';
import { addUnlessThere } from '../shared/options/if_missing.ts';

const CAMPAIGNS = [
  { slug: 'christmas-2010', name: 'Christmas 2010', from: '2010-12-01', to: '2010-12-23', perDay: '400' },
  { slug: 'spring', name: 'Spring', from: '2011-03-01', to: '2011-04-20', perDay: '350' },
  { slug: 'summer', name: 'Summer sale', from: '2011-06-15', to: '2011-07-31', perDay: '600' },
  { slug: 'christmas-2011', name: 'Christmas 2011', from: '2011-10-15', to: '2011-12-09', perDay: '900' },
];
const NETWORK = 'newsletter';

export async function setUpCampaigns(db: Db, { id: brandId, reportingCurrency: currency }: Brand) {
  for (const { slug, name, from, to, perDay: amount } of CAMPAIGNS) {
    const fields = { name, startsOn: from, endsOn: to, budget: null, budgetCurrency: null, retailerId: null };
    const { row: campaign } = await addUnlessThere({
      ifMissing: true,
      add: () => db.transaction((tx) => addCampaign(tx, { brandId, slug, ...fields })),
      find: () => findCampaign(db, brandId, slug),
    });
    const day = { campaignId: campaign.id, currency, source: NETWORK, amount };
    await db.transaction(async (tx) => {
      await addLink(tx, campaign, { kind: 'utm_campaign', value: slug });
      const spend = daysBetween(from, to).map((of) => ({ ...day, day: of }));
      await storeSpend(tx, { brandId, target: slug }, spend);
    });
  }
}
