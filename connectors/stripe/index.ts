/** The streams of a Stripe account, in the order in which they are read. */
import type { Stream } from '../stream.ts';
import { balanceTransactionsStream } from './balance_transactions.ts';
import { chargesStream } from './charges.ts';
import { couponsStream } from './coupons.ts';
import { customersStream } from './customers.ts';
import { disputesStream } from './disputes.ts';
import { invoicesStream } from './invoices.ts';
import { paymentIntentsStream } from './payment_intents.ts';
import { payoutsStream } from './payouts.ts';
import { pricesStream } from './prices.ts';
import { productsStream } from './products.ts';
import { promotionCodesStream } from './promotion_codes.ts';
import { refundsStream } from './refunds.ts';
import { subscriptionsStream } from './subscriptions.ts';

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
