import { campaignMonths } from './campaigns/campaign_months.ts';
import { campaignSales } from './campaigns/campaign_sales.ts';
import { dailyCampaigns } from './campaigns/daily_campaigns.ts';
import { orderCredits } from './campaigns/order_credits.ts';
import { orderDays } from './campaigns/order_days.ts';
import { dailyCountrySales } from './countries/daily_country_sales.ts';
import { monthlyCountrySales } from './countries/monthly_country_sales.ts';
import { customerCohorts } from './customers/customer_cohorts.ts';
import { customerMonths } from './customers/customer_months.ts';
import { customerValue } from './customers/customer_value.ts';
import { dailyPayments } from './daily_payments.ts';
import { dailyProductSales } from './daily_product_sales.ts';
import { dailySales } from './daily_sales.ts';
import { dailyEmail } from './email/daily_email.ts';
import { dailyAbTests } from './events/daily_ab_tests.ts';
import { dailyAssets } from './events/daily_assets.ts';
import { dailyFunnel } from './events/daily_funnel.ts';
import { dailyScans } from './events/daily_scans.ts';
import { forecastQuality } from './forecast/forecast_quality.ts';
import { revenueForecast } from './forecast/revenue_forecast.ts';
import { dailyMrr } from './mrr/daily_mrr.ts';
import { subscriptionStates } from './mrr/subscription_states.ts';
import { retailerDays } from './rankings/retailer_days.ts';
import { retailerRankings } from './rankings/retailer_rankings.ts';
import { inOrder, type Rollup } from './rollup.ts';
import { dailySocial } from './social/daily_social.ts';
import { socialPosts } from './social/social_posts.ts';
import { dailyStock } from './stock/daily_stock.ts';

/** All rollups, in running order. */
export const rollups = inOrder([
  dailySales,
  dailyProductSales,
  dailyCountrySales,
  dailyPayments,
  subscriptionStates,
  dailyMrr,
  dailySocial,
  socialPosts,
  dailyEmail,
  orderDays,
  orderCredits,
  campaignSales,
  dailyCampaigns,
  campaignMonths,
  monthlyCountrySales,
  customerMonths,
  customerValue,
  customerCohorts,
  dailyStock,
  dailyFunnel,
  dailyAssets,
  dailyScans,
  dailyAbTests,
  retailerDays,
  retailerRankings,
]);

/** Those whose rows a task computes (given.ts): no mark makes them run. */
export const givenRollups: readonly Rollup[] = [revenueForecast, forecastQuality];
