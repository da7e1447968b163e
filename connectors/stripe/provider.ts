/** Stripe: accounts and their connected accounts. https://docs.stripe.com/api */
import { defineProvider } from '../kit/provider.ts';
import { assertOwnAccount, checkStripe } from './api/check.ts';
import { openStripe } from './api/client.ts';
import { keyForm } from './api/key.ts';
import { retirements } from './retirements.ts';
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
import { webhookOf } from './webhook.ts';
import { webhooksOf } from './webhooks.ts';

const streams = [
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

export const stripe = defineProvider({
  name: 'stripe',
  title: 'Stripe',
  level: 'retailer',
  hosts: /^(api|files)\.stripe\.com$/,
  baseUrl: () => 'https://api.stripe.com',
  account: {
    written: 'acct_…',
    read: (typed) => (/^acct_[A-Za-z0-9_]{1,60}$/.test(typed) ? typed : undefined),
    found: 'Stripe shows it in the dashboard under Settings, Account details',
  },
  key: keyForm,
  raisesLimits: true,
  isReconcilable: true,
  streams,
  webhook: webhookOf(streams),
  webhooks: webhooksOf(streams),
  retirements,
  check: checkStripe,
  assertAccount: (context) => assertOwnAccount(openStripe(context), context.connection),
});
