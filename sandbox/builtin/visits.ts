/** Where orders came from, which is made up: some of the weeks of a campaign followed a link that names it. */
import { pseudoRandom } from '../random.ts';
import { toStamp } from '../zone.ts';
import type { Order } from './ledger.ts';

/** `share` of the orders from the first to the last day, both of UTC. */
const CAMPAIGNS = [
  { name: 'christmas-2010', from: '2010-12-01', to: '2010-12-23', share: 0.15 },
  { name: 'spring', from: '2011-03-01', to: '2011-04-20', share: 0.12 },
  { name: 'summer', from: '2011-06-15', to: '2011-07-31', share: 0.02 },
  { name: 'christmas-2011', from: '2011-10-15', to: '2011-12-09', share: 0.14 },
];
/** A visit is up to four days before its order. */
const HOURS_MAX = 96;
const HOUR_MS = 3_600_000;

export function journeyOf({ invoice, at }: Order): object | null {
  const day = toStamp(at).slice(0, 10);
  const campaign = CAMPAIGNS.find(({ from, to }) => from <= day && day <= to);
  if (campaign === undefined || !/^\d+$/.test(invoice)) return null;
  const next = pseudoRandom(Number(invoice));
  if (next() >= campaign.share) return null;
  return {
    ready: true,
    firstVisit: null,
    lastVisit: {
      id: `gid://shopify/CustomerVisit/${invoice}`,
      occurredAt: toStamp(at - Math.floor(next() * HOURS_MAX) * HOUR_MS),
      source: 'newsletter',
      utmParameters: {
        source: 'newsletter',
        medium: 'email',
        campaign: campaign.name,
        content: null,
        term: null,
      },
    },
  };
}
