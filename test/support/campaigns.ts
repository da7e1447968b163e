/** A brand with two shops of retailers, a mail account and a profile, for tests of campaigns. */
import { addCampaign, type Campaign } from '#sql/campaigns/campaigns.ts';
import { addLink, type LinkKind } from '#sql/campaigns/links.ts';
import { loadItems } from '#sql/load/load.ts';
import type { Item } from '#sql/load/table.ts';
import { addConnection } from '#sql/tenants/connections.ts';
import { personsOf } from '#sql/tenants/persons.ts';
import { rollup } from '#tasks/rollup.ts';
import { posts } from '../../connectors/ayrshare/streams/post_rows.ts';
import { events, eventsOf } from '../../connectors/sendgrid/events/event.ts';
import type { TestDb } from './db/db.ts';
import { aBrand, aConnection, aRetailer, testKeyring, testSealer } from './rows/factory.ts';
import { anOrder, loadOrders, type RawOrder } from './rows/raw_orders.ts';
import { runTask } from './run.ts';

export const NOW = new Date('2026-06-30T12:00:00Z');

export async function aSeller(db: TestDb, zone = 'Europe/London') {
  const brand = await aBrand(db, { timeZone: zone });
  const brandId = brand.id;
  const shops = [];
  for (const slug of ['uk', 'ie']) {
    const { id: retailerId } = await aRetailer(db, { brandId, slug });
    const { id: connectionId } = await aConnection(db, { brandId, retailerId, name: `shop-${slug}` });
    shops.push({ brandId, retailerId, connectionId });
  }
  const account = (name: string, provider: string, secret: string, auth: string) =>
    db.transaction((tx) =>
      addConnection(tx, testKeyring, { brandId, name, provider, account: name, auth, secret, actor: 'test' }),
    );
  const mail = await account('mail', 'sendgrid', 'SG.test_of_campaigns.key', 'key');
  const social = await account('social', 'ayrshare', 'test-key', 'primary');
  const personOf = await personsOf(db, testSealer, brandId);
  const [uk, ie] = shops as [(typeof shops)[0], (typeof shops)[0]];
  const byBrand = (connectionId: string) => ({ brandId, connectionId });

  const seller = {
    ...{ db, brand, brandId, uk, ie, mail, social, personOf },
    orders: (given: readonly RawOrder[], shop = uk) =>
      db.transaction((tx) =>
        loadOrders(
          tx,
          shop,
          given.map(({ person, ...order }) =>
            anOrder({ ...order, ...(person && { person: personOf(person) ?? '' }) }),
          ),
        ),
      ),
    /** Clicks as the webhook brings them. */
    mailed: (batch: readonly Record<string, unknown>[]) => {
      const { items } = eventsOf(batch, { personOf, source: 'webhook', readAt: NOW });
      return db.transaction((tx) =>
        loadItems(tx, { ...byBrand(mail.id), tables: [events], now: NOW }, items as Item[]),
      );
    },
    posted: (rows: readonly { id: string; at: string; text: string; campaign?: string }[]) => {
      const items = rows.map(({ id, at, text, campaign = null }) => ({
        ...{ id, changedAt: NOW },
        rows: {
          [posts.name]: [
            {
              ...{
                id,
                platform: 'facebook',
                published_at: new Date(at),
                kind: null,
                url: null,
                text,
                campaign,
              },
              ...{ lacks_metrics: false, payload: {} },
            },
          ],
        },
      }));
      return db.transaction((tx) =>
        loadItems(tx, { ...byBrand(social.id), tables: [posts], now: NOW }, items),
      );
    },
    campaign: (slug: string, links: readonly (readonly [LinkKind, string])[] = []): Promise<Campaign> =>
      db.transaction(async (tx) => {
        const fields = {
          name: slug,
          startsOn: null,
          endsOn: null,
          budget: null,
          budgetCurrency: null,
          retailerId: null,
        };
        const campaign = await addCampaign(tx, { brandId, slug, ...fields, actor: 'test' });
        for (const [kind, value] of links) await addLink(tx, campaign, { kind, value }, { actor: 'test' });
        return campaign;
      }),
    roll: async () => {
      const tallies = [];
      for (const retailerId of [uk.retailerId, ie.retailerId, null])
        tallies.push(await runTask(rollup, { brandId, retailerId }, db));
      return tallies;
    },
    credits: () =>
      db.rows<{ order_id: string; campaign: string; touch_kind: string }>(
        `select retailer || '/' || order_id as order_id, campaign, touch_kind from bi.order_credits where brand_id = $1 order by 1`,
        [brandId],
      ),
    days: () =>
      db.rows(
        `select day::text, coalesce(campaign, '-') as campaign, currency, spend::text, attributed_orders as orders, attributed_revenue::text as revenue,
                credited_orders as credited, credited_revenue::text as accrued
         from bi.daily_campaigns where brand_id = $1 order by day, 2, currency`,
        [brandId],
      ),
  };
  return seller;
}

export type Seller = Awaited<ReturnType<typeof aSeller>>;

/** A click of a person on a letter. */
export const aClick = (id: string, email: string, at: string, more: Record<string, unknown> = {}) => ({
  ...{ event: 'click', sg_event_id: id, sg_message_id: `m-${id}`, email, timestamp: Date.parse(at) / 1000 },
  ...{ category: ['news'], url: 'https://shop.example/' },
  ...more,
});
