/**
 * Stripe accounts of the built-in year, one per shop: what its orders were paid and refunded with.
 * Everything follows from the orders, and nothing is built before somebody asks for it.
 */
import { RETAILERS, type Retailer } from '../../builtin/countries.ts';
import type { Order } from '../../builtin/ledger.ts';
import type { InvoiceLines } from '../../builtin/online_retail.ts';
import { balanceOf } from '../ledger_balance.ts';
import type { Book, Key, Source, StripeAccount } from '../objects.ts';
import { NOTHING, rowSource } from '../rows.ts';
import { giftwareEvents } from './events.ts';
import { type Money, moneyOf } from './money.ts';
import { balanceTransactionRow, chargeRow, payoutRow, refundRow } from './rows.ts';

export const PLATFORM_ACCOUNT = 'acct_giftware';
const SINCE = Date.parse('2010-11-01T00:00:00Z') / 1000;

export function accountId(retailer: Retailer): string {
  return `${PLATFORM_ACCOUNT}${retailer}`;
}

export type OrdersOf = (retailer: Retailer) => readonly Order[];

/** One account per retailer, and the brand's own, whose key may act for all of them. */
export function giftwareAccounts(
  lines: InvoiceLines,
  ordersOf: OrdersOf,
  also: readonly string[],
): StripeAccount[] {
  const own = RETAILERS.map((retailer) => {
    return account(accountId(retailer), `Giftware ${retailer}`, retailer, [], () =>
      buildBook(ordersOf(retailer), lines),
    );
  });
  const connected = [...own.map(({ id }) => id), ...also];
  return [account(PLATFORM_ACCOUNT, 'Giftware', '', connected, () => emptyBook(false)), ...own];
}

function account(
  id: string,
  name: string,
  suffix: string,
  connected: readonly string[],
  build: () => Book,
): StripeAccount {
  let book: Book | undefined;
  return {
    id,
    keys: keysFor(suffix),
    connected,
    country: 'GB',
    currency: 'gbp',
    name,
    created: SINCE,
    book: (livemode) => {
      if (livemode) return emptyBook(true);
      book ??= build();
      return book;
    },
  };
}

/** A restricted key that may read everything, and a secret one. */
export function keysFor(suffix: string): Key[] {
  const name = ['sandbox', 'giftware', suffix].filter(Boolean).join('_');
  return [`rk_test_${name}`, `sk_test_${name}`].map((text) => ({
    text,
    permissions: undefined,
    expired: false,
  }));
}

export function emptyBook(livemode: boolean): Book {
  return { livemode, source: () => NOTHING, balance: () => new Map() };
}

function buildBook(orders: readonly Order[], lines: InvoiceLines): Book {
  const money: Money = moneyOf(orders, lines);
  const sources = new Map<string, Source>([
    ['charges', rowSource(money.charges.map(chargeRow))],
    ['refunds', rowSource(money.refunds.map(refundRow), ['charge'])],
    ['payouts', rowSource(money.payouts.map(payoutRow))],
    [
      'balance_transactions',
      rowSource(money.transactions.map(balanceTransactionRow), ['payout', 'source', 'type']),
    ],
  ]);
  const get = (kind: string): Source => {
    const made = sources.get(kind) ?? (kind === 'events' ? giftwareEvents(money) : NOTHING);
    sources.set(kind, made);
    return made;
  };
  return { livemode: false, source: get, balance: (now) => balanceOf(get('balance_transactions'), now) };
}
