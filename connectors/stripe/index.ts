/** The streams of a Stripe account, in the order in which they are read. */
import type { Stream } from '../kit/stream.ts';
import { balanceTransactionsStream } from './streams/balance_transactions.ts';
import { chargesStream } from './streams/charges.ts';
import { couponsStream } from './streams/coupons.ts';
import { customersStream } from './streams/customers.ts';
import { disputesStream } from './streams/disputes.ts';
import { invoicesStream } from './streams/invoices.ts';
import { paymentIntentsStream } from './streams/payment_intents.ts';
import { payoutsStream } from './streams/payouts.ts';
import { pricesStream } from './streams/prices.ts';
import { productsStream } from './streams/products.ts';
import { promotionCodesStream } from './streams/promotion_codes.ts';
import { refundsStream } from './streams/refunds.ts';
import { subscriptionsStream } from './streams/subscriptions.ts';

export const stripeStreams: readonly Stream[] = [
  productsStream,
  pricesStream,
  couponsStream,
  promotionCodesStream,
  customersStream,
  subscriptionsStream,
  invoicesStream,
  paymentIntentsStream,
  chargesStream,
  refundsStream,
  disputesStream,
  balanceTransactionsStream,
  payoutsStream,
];
