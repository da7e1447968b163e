/**
 * Whatever comes in whatever order (orders, returns and deletions in two shops and currencies, mail, posts, spend, campaigns
 * and parts that change hands, rates, weights, another zone or currency), rankings end as if they were made from nothing,
 * and a further run writes no row. The months lie around a change of the clock, with days and weeks without sales.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { streams } from '#connectors/providers.ts';
import { editCampaign, listCampaigns } from '#sql/campaigns/campaigns.ts';
import { storeSpend } from '#sql/campaigns/spend.ts';
import type { Tx } from '#sql/db/pool.ts';
import { noticeRatesOfBrand } from '#sql/fx/days.ts';
import { storeRates } from '#sql/fx/rates.ts';
import { setWeights } from '#sql/rankings/weights.ts';
import { rollups as all } from '#sql/rollups/index.ts';
import { runRollups } from '#sql/rollups/run.ts';
import { changeReportingCurrency, changeTimeZone } from '#sql/tenants/brands.ts';
import { mapPart } from '#sql/tenants/connection_parts.ts';
import { moveConnection } from '#sql/tenants/move_connection.ts';
import { rollup } from '#tasks/rollup.ts';
import { aClick, aSeller, NOW, type Seller } from '../support/campaigns.ts';
import { freshDb } from '../support/db/db.ts';
import { aggregatesOf } from '../support/db/rebuild.ts';
import { assertExplained } from '../support/explain/law.ts';
import { assertHolds, inForm } from '../support/property.ts';
import { daysOf } from '../support/providers/fx.ts';
import { loadOrders } from '../support/rows/raw_orders.ts';
import { load as loadReadings } from '../support/rows/social.ts';
import { runTask } from '../support/run.ts';

const KINDS =
  /daily_sales|order_days|order_credits|campaign_sales|daily_campaigns|daily_email|daily_social|retailer/;
const rollups = all.filter(({ writes }) => KINDS.test(writes));
const tables = streams.flatMap((stream) => [...stream.tables]);
const BEGIN = Date.parse('2026-01-26T11:30:00Z');
const DAY_MS = 86_400_000;
const at = (days: number) => new Date(BEGIN + days * DAY_MS).toISOString();
const acting = { actor: 'test' };

const day = fc.constantFrom(0, 1, 2, 6, 7, 9, 30, 36, 61, 62, 63, 64, 65, 71, 92);
const shop = fc.constantFrom('uk' as const, 'ie' as const);
const amount = fc.integer({ min: 1, max: 900 });
const slug = fc.constantFrom('one' as const, 'two' as const);
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      ...{ do: fc.constant('order' as const), id: fc.integer({ min: 1, max: 6 }), shop, day, amount },
      currency: fc.constantFrom('GBP', 'EUR'),
      campaign: fc.option(slug, { nil: undefined }),
      back: fc.option(day, { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('delete' as const), id: fc.integer({ min: 1, max: 6 }), shop }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('mail' as const), id: fc.nat(20), day, shop }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('read' as const), post: fc.nat(2), day, likes: fc.nat(40) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('map' as const),
      part: fc.constantFrom('category:uk', 'category:ie', 'social'),
      shop,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('spend' as const), slug, day, amount }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('owner' as const), slug, shop: fc.option(shop, { nil: null }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('weight' as const), weight: fc.constantFrom('5', '0', null) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('rate' as const), day, rate: fc.integer({ min: 80, max: 90 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('zone' as const),
      zone: fc.constantFrom('Asia/Kolkata', 'America/New_York'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('report' as const), currency: fc.constantFrom('EUR', 'GBP') }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), shop, to: shop }) },
  {
    weight: 9,
    arbitrary: fc.record({ do: fc.constant('roll' as const), owner: fc.constantFrom('uk', 'ie', null) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

let version = 0;

async function apply(seller: Seller, one: Step): Promise<unknown> {
  const { db, brand, brandId } = seller;
  const now = NOW;
  const campaignIn = async (tx: Tx, name: string) => {
    return (await listCampaigns(tx, brandId)).find((campaign) => campaign.slug === name);
  };
  const change = { brandId, tables, now, ...acting };
  version += 1;
  const isNew = new Date(Date.parse('2026-06-01T00:00:00Z') + version * 1000);
  switch (one.do) {
    case 'order': {
      const returned = { reason: 'REFUND', action: 'RETURN', quantity: -1, total: '-400.00' };
      const sales = [
        { total: `${one.amount}.00`, quantity: 1 },
        ...(one.back === undefined ? [] : [{ ...returned, at: at(Math.max(one.back, one.day)) }]),
      ];
      const order = {
        id: String(one.id),
        at: at(one.day),
        version: isNew.toISOString(),
        sales,
        currency: one.currency,
      };
      return seller.orders([{ ...order, ...(one.campaign && { utm: one.campaign }) }], seller[one.shop]);
    }
    case 'delete':
      return db.transaction((tx) =>
        loadOrders(tx, seller[one.shop], [], [{ id: String(one.id), deletedAt: isNew }]),
      );
    case 'mail': {
      const letter = aClick(`e${one.id}`, 'a@x.example', at(one.day), { category: [one.shop] });
      return seller.mailed([{ ...letter, event: one.id % 3 === 0 ? 'click' : 'delivered' }]);
    }
    case 'read':
      return loadReadings(db, { brandId, connectionId: seller.social.id }, [
        { post: `p${one.post}`, at: at(one.day), published: at(0), impressions: 100, likes: one.likes },
      ]);
    case 'map': {
      const { id: connectionId } = one.part === 'social' ? seller.social : seller.mail;
      const { retailerId } = seller[one.shop];
      return db.transaction((tx) =>
        mapPart(tx, { ...change, connectionId, part: one.part, retailerId, takesAway: true }),
      );
    }
    case 'spend':
      return db.transaction(async (tx) => {
        const campaignId = (await campaignIn(tx, one.slug))?.id ?? '';
        const row = { campaignId, day: at(one.day).slice(0, 10), source: 'ads', amount: String(one.amount) };
        await storeSpend(tx, { brandId, target: 'test', ...acting }, [{ ...row, currency: 'EUR' }]);
      });
    case 'owner':
      return db.transaction(async (tx) => {
        const campaign = await campaignIn(tx, one.slug);
        const retailerId = one.shop && seller[one.shop].retailerId;
        if (campaign) await editCampaign(tx, campaign, { retailerId }, acting);
      });
    case 'weight':
      return db.transaction((tx) => setWeights(tx, brand, new Map([['net_sales', one.weight]]), acting));
    case 'rate':
      return db.transaction(async (tx) => {
        const days = daysOf([['GBP', at(one.day).slice(0, 10), (one.rate / 100).toFixed(2)]]);
        await storeRates(tx, { days, source: 'test', now, ...acting });
        await noticeRatesOfBrand(tx, brandId);
      });
    case 'zone':
      return db.transaction((tx) => changeTimeZone(tx, one.zone, change));
    case 'report':
      return db.transaction((tx) => changeReportingCurrency(tx, one.currency, change));
    case 'move': {
      const { retailerId } = seller[one.to];
      return db.transaction((tx) =>
        moveConnection(tx, { ...change, connectionId: seller[one.shop].connectionId, retailerId }),
      );
    }
    case 'roll': {
      const retailerId = one.owner && seller[one.owner as 'uk' | 'ie'].retailerId;
      return runTask(rollup, { brandId, retailerId }, db);
    }
  }
}

async function rebuilt({ db, brandId, uk, ie }: Seller) {
  const days = Array.from({ length: 160 }, (_, n) => at(n - 30).slice(0, 10));
  for (const { writes } of rollups) await db.query(`delete from ${writes} where brand_id = $1`, [brandId]);
  for (const retailerId of [uk.retailerId, ie.retailerId, null])
    await db.transaction((tx) => runRollups(tx, rollups, { brandId, retailerId, days, now: NOW }));
  return aggregatesOf(db, brandId, rollups);
}

test('rankings are those of a rebuild', async () => {
  let ranked = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
    await using db = await freshDb();
    const [seller, other] = [await aSeller(db), await aSeller(db)];
    for (const name of ['one', 'two']) await seller.campaign(name, [['utm_campaign', name]]);
    for (const one of steps) await apply(seller, one);
    await seller.roll();
    await assertExplained(db, seller.brandId, { rollups, now: NOW });
    const incremental = await aggregatesOf(db, seller.brandId, rollups);
    expect(await seller.roll()).toMatchObject(Array(3).fill({ written: 0, deleted: 0 }));
    expect(await rebuilt(seller)).toEqual(incremental);
    expect(
      await db.column('select count(*) from agg.retailer_rankings where brand_id = $1', [other.brandId]),
    ).toEqual([0]);
    expect(await db.rows('select * from ops.figure_checks where not ok')).toEqual([]);
    ranked += incremental['agg.retailer_rankings']?.length ?? 0;
  });
  await assertHolds(property, inForm(10, 40), { endOnFailure: true });
  expect(ranked).toBeGreaterThan(0);
});
