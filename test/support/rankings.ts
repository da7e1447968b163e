/** A brand whose figures are put in as they are, for tests of what a ranking makes of them. */
import { retailerDays } from '#sql/rollups/rankings/retailer_days.ts';
import { retailerRankings } from '#sql/rollups/rankings/retailer_rankings.ts';
import { runRollups } from '#sql/rollups/run.ts';
import type { TestDb } from './db/db.ts';
import { aBrand, aRetailer } from './rows/factory.ts';

const NOW = new Date('2026-11-01T00:00:00Z');

export type Board = Awaited<ReturnType<typeof aBoard>>;

/** `slugs` in the order in which they are added. */
export async function aBoard(db: TestDb, slugs: readonly string[], reportingCurrency = 'GBP') {
  const { id: brandId, slug: brand } = await aBrand(db, { reportingCurrency });
  const ids = new Map<string, string>();
  for (const slug of slugs) ids.set(slug, (await aRetailer(db, { brandId, slug })).id);
  const days = new Set<string>();
  const put = (day: string, text: string, values: unknown[]) => {
    days.add(day);
    return db.query(text, [brandId, day, ...values]);
  };
  return {
    ...{ db, brandId, brand },
    idOf: (slug: string) => ids.get(slug),
    sell: (day: string, slug: string, net: string, currency = reportingCurrency, rate: string | null = '1') =>
      put(
        day,
        `insert into agg.daily_sales (brand_id, day, retailer_id, currency, gross_sales, fx_rate, fx_cause, reporting_currency,
           orders, new_customers, returning_customers, guest_orders, units, units_returned, discounts, returns, ordered_sales,
           shipping, taxes, duties, fees, tips, gift_cards_sold, refunded_money, unclassified, unclassified_rows, computed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, ${'0, '.repeat(18)} $9)`,
        [ids.get(slug), currency, net, rate, rate === null ? 'no_rate' : null, reportingCurrency, NOW],
      ),
    mail: (day: string, slug: string, [delivered, opens, clicks]: readonly [number, number, number]) =>
      put(
        day,
        `insert into agg.daily_email (brand_id, day, owner_id, connection_id, campaign, counted_from, time_zone, requests,
           delivered, bounces, blocks, opens, unique_opens, clicks, unique_clicks, spam_reports, unsubscribes, computed_at)
         values ($1, $2, $3, $1, 'news', 'events', 'UTC', $4, $4, 0, 0, $5, $5, $6, $6, 0, 0, $7)`,
        [ids.get(slug), delivered, opens, clicks, NOW],
      ),
    use: (day: string, slug: string, downloads: number) =>
      put(
        day,
        `insert into agg.daily_assets (brand_id, day, owner_id, asset, views, downloads, visitors, computed_at)
         values ($1, $2, $3, 'manual', 1, $4, 1, $5)`,
        [ids.get(slug), downloads, NOW],
      ),
    /** What orders that are credited to a campaign brought. */
    credit: (
      day: string,
      slug: string,
      campaignId: string,
      [orders, revenue]: readonly [number, string],
      rate: string | null = '1',
    ) =>
      put(
        day,
        `insert into agg.campaign_sales (brand_id, day, campaign_id, retailer_id, currency, attributed_orders,
           attributed_revenue, reporting_currency, fx_rate, computed_at)
         values ($1, $2, $3, $4, 'GBP', $5, $6, $7, $8, $9)`,
        [campaignId, ids.get(slug), orders, revenue, reportingCurrency, rate, NOW],
      ),
    spend: (day: string, campaignId: string, amount: string) =>
      put(
        day,
        `insert into agg.daily_campaigns (brand_id, day, campaign_id, currency, spend, attributed_orders, attributed_revenue,
           credited_orders, credited_revenue, reporting_currency, fx_rate, computed_at)
         values ($1, $2, $3, 'GBP', $4, 0, 0, 0, 0, $5, 1, $6)`,
        [campaignId, amount, reportingCurrency, NOW],
      ),
    campaign: async (slug: string, owner?: string) => {
      const [id] = await db.column(
        'insert into app.campaigns (brand_id, slug, name, retailer_id) values ($1, $2, $2, $3) returning id',
        [brandId, slug, owner === undefined ? null : ids.get(owner)],
      );
      return String(id);
    },
    /** Computes the days, or every one that anything was put on. */
    rank: ({ of = [...days].sort(), now = NOW }: { of?: readonly string[]; now?: Date } = {}) =>
      db.transaction((tx) =>
        runRollups(tx, [retailerDays, retailerRankings], { brandId, retailerId: null, days: of, now }),
      ),
    rows: (period: string, start: string, columns: string) =>
      db.rows<Record<string, unknown>>(
        `select retailer, ${columns} from bi.retailer_rankings
         where brand_id = $1 and period = $2 and period_start = $3 order by rank, retailer`,
        [brandId, period, start],
      ),
  };
}
