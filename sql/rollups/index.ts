import { dailyCountrySales } from './daily_country_sales.ts';
import { dailyPayments } from './daily_payments.ts';
import { dailyProductSales } from './daily_product_sales.ts';
import { dailySales } from './daily_sales.ts';
import { inOrder } from './rollup.ts';

/** Every rollup there is, in the order in which they run. */
export const rollups = inOrder([dailySales, dailyProductSales, dailyCountrySales, dailyPayments]);
