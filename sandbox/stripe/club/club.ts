/**
 * The Stripe account of the Giftware Club: subscriptions that are made up, the same on every run.
 * Its charges are not orders, so it is an account of its own, for a retailer without a shop.
 */
import { Place } from '../../ndjson.ts';
import { Drafts } from '../drafts.ts';
import { emptyBook, keysFor, PLATFORM_ACCOUNT } from '../giftware/giftware.ts';
import { buildBook } from '../load_account.ts';
import type { Book, StripeAccount, StripeObject } from '../objects.ts';
import { CLUB_CREATED, catalogueDrafts } from './catalogue.ts';
import { noDrafts } from './invoices.ts';
import { Life } from './life.ts';
import { payOutDrafts } from './payouts.ts';
import { type Script, scripts } from './scripts.ts';
import { mrrTruth } from './truth.ts';

export const CLUB_ACCOUNT = `${PLATFORM_ACCOUNT}club`;
const ZONE = 'Europe/London';

/** `now` in Unix seconds. */
export function clubAccount(now: number): StripeAccount {
  let built: { book: Book; lives: Life[] } | undefined;
  const build = () => {
    built ??= buildClub(now);
    return built;
  };
  return {
    id: CLUB_ACCOUNT,
    keys: keysFor('club'),
    connected: [],
    country: 'GB',
    currency: 'gbp',
    name: 'Giftware Club',
    created: CLUB_CREATED,
    book: (livemode) => (livemode ? emptyBook(true) : build().book),
    truth: () => mrrTruth(build().lives, ZONE, now),
  };
}

function buildClub(now: number): { book: Book; lives: Life[] } {
  const { files, lives } = clubFiles(now);
  const drafts = new Drafts();
  for (const [kind, objects] of Object.entries(files)) {
    for (const [index, object] of objects.entries()) drafts.add(kind, object, new Place(kind, index + 1));
  }
  return { book: buildBook(drafts, false, { currency: 'gbp', warnings: [] }), lives };
}

/** The club as the files of a scenario, with the lives behind them until `now`. */
export function clubFiles(now: number): { files: Record<string, StripeObject[]>; lives: Life[] } {
  const drafted = noDrafts();
  const all = scripts().filter(({ start }) => start <= now);
  const lives = all.map((script) => new Life(script, drafted, now).run());
  const files: Record<string, StripeObject[]> = {
    ...catalogueDrafts(),
    customers: customersOf(all),
    ...drafted,
    discounts: lives.flatMap(({ discounts }) => discounts),
    subscriptions: lives.flatMap(({ versions }) => versions),
    ...payOutDrafts(drafted.balance_transactions, now),
  };
  return { files, lives };
}

function customersOf(all: readonly Script[]): StripeObject[] {
  const starts = new Map<string, number>();
  for (const { customer, start } of all) {
    starts.set(customer, Math.min(start, starts.get(customer) ?? start));
  }
  return [...starts].map(([name, created]) => ({
    ...{ id: `cus_${name}`, name: `Member ${name}`, email: `${name.toLowerCase()}@club.example`, created },
  }));
}
