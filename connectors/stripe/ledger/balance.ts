/** The balance that Stripe says there is, against the sum of all balance transactions that are stored. */
import { isCurrency } from '#runtime/currencies.ts';
import { quote, shown, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { lookUp } from '#sql/db/planner.ts';
import { ScopeMissing } from '../../kit/errors.ts';
import { each, type Fields, integer, isObject, text } from '../../kit/fields.ts';
import { fromMinor, shortest } from '../../kit/money.ts';
import { pause } from '../../kit/retry.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage, withFailures } from '../../kit/sync_run.ts';
import { placesOf } from '../api/coerce.ts';
import type { Page } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';

/** What an account has in one currency, available and pending together. */
type Amount = { type: string; currency: string; amount: string };

export type Balance = {
  at: Date;
  amounts: readonly Amount[];
  /** Held back from a platform because of its connected accounts, by currency; the ledger has booked it. */
  reserved: ReadonlyMap<string, string>;
};

/** What Stripe books into `balance_type` where a transaction says nothing else. */
const PAYMENTS = 'payments';
/** A transaction may be in the balance or not if it was booked from so long before the asking on: clocks differ. */
export const UNCERTAIN_MS = 30_000;
/** On an account in motion the balance is asked for so often until the ledger stands still around it. */
const ASKED_MAX = 3;
/** A transaction may be in the balance before it is listed. */
const ASKED_AT_REST_MAX = 2;
const PAUSE_MS = 1_500;

/** Undefined where the key may not read it: then nothing tells that a row is missing. */
export async function readBalance({ stripe, context }: StripeRun): Promise<Balance | undefined> {
  const stray = (currency: string) =>
    context.warn(
      `Stripe's balance names the currency ${shown(currency)}, which does not exist: it is not checked`,
    );
  try {
    return await stripe.get('/v1/balance', [], (body, at) => ({
      at,
      amounts: [...amountsOf(PAYMENTS, body, stray), ...otherTypes(body, stray)],
      reserved: sumsOf(body, ['connect_reserved'], stray),
    }));
  } catch (error) {
    if (!(error instanceof ScopeMissing)) throw error;
    context.warn(`The sum of balance transactions is not checked: ${error.message}`);
    return undefined;
  }
}

/** Balances beside that of payments, as far as Stripe tells what is pending in them. */
function otherTypes(body: Fields, stray: Stray): Amount[] {
  return Object.entries(body).flatMap(([type, value]) =>
    isObject(value) && Array.isArray(value.available) && Array.isArray(value.pending)
      ? amountsOf(type, value, stray)
      : [],
  );
}

/** `instant_available` is a part of these and so is never added. */
function amountsOf(type: string, body: Fields, stray: Stray): Amount[] {
  return [...sumsOf(body, ['available', 'pending'], stray)].map(([currency, amount]) => ({
    type,
    currency,
    amount,
  }));
}

/** Is called with a code that is not a currency: its transactions are quarantined, and the other balances are still checked. */
type Stray = (currency: string) => void;

function sumsOf(body: Fields, keys: readonly string[], stray: Stray): Map<string, string> {
  const minor = new Map<string, bigint>();
  for (const key of keys.filter((one) => body[one] !== undefined)) {
    each(body, key, (entry) => {
      const currency = text(entry, 'currency').toUpperCase();
      if (!isCurrency(currency)) return stray(text(entry, 'currency'));
      minor.set(currency, (minor.get(currency) ?? 0n) + BigInt(integer(entry, 'amount')));
    });
  }
  return new Map(
    [...minor].map(([currency, sum]) => [currency, shortest(fromMinor(sum, placesOf(currency)))]),
  );
}

export type LedgerReading = {
  /** The page that says how far the ledger is by its balance alone. Absent: that proves nothing. */
  proved: ((balance: Balance) => Page) | undefined;
  /** Brings the ledger up to now; `times`: how often, this time included. `isTold`: Stripe tells the balance. */
  list(times: number, isTold: boolean): AsyncIterable<Page>;
};

/**
 * The checks of the balance. The ledger is listed, and again with the balance while they differ: what is booked
 * between the two is in one of them only.
 */
export async function* balancePages(run: StripeRun, { proved, list }: LedgerReading): AsyncGenerator<Page> {
  for (let asked = 1; ; asked++) {
    // Before the list, so that whatever is in the balance is in the list too.
    const balance = await readBalance(run);
    if (balance && proved && asked === 1) {
      const found = await compare(run, balance);
      if (found.every(({ isTold, isEqual }) => !isTold || isEqual))
        return yield checkedPage(run, proved(balance), { found, balance });
    }
    yield* list(asked, balance !== undefined);
    if (!balance) return;
    const found = await compare(run, balance);
    const differing = found.filter(({ isTold, isEqual }) => isTold && !isEqual);
    const isMoving = differing.some((one) => one.isMoving);
    if (differing.length > 0 && asked < (isMoving ? ASKED_MAX : ASKED_AT_REST_MAX)) {
      const { signal, stats } = run.context;
      await pause(PAUSE_MS * asked, { signal, stats, attemptsMax: ASKED_MAX });
      continue;
    }
    return yield checkedPage(run, emptyPage(run), { found, balance });
  }
}

function checkedPage(
  { context }: StripeRun,
  page: Page,
  { found, balance }: { found: readonly Compared[]; balance: Balance },
): Page {
  for (const one of found.filter(({ isTold }) => !isTold))
    context.warn(`Stripe tells no balance of ${named(one.type)}: its ${one.currency} is not checked`);
  const checks = found.filter(({ isTold }) => isTold).map((one) => checkOf(one, balance));
  return withFailures({ ...page, checks });
}

type Compared = {
  type: string;
  currency: string;
  expected: string;
  found: string;
  /** Stripe says what it is. */
  isTold: boolean;
  isEqual: boolean;
  /** Something was booked while the balance was asked for, or just before. */
  isMoving: boolean;
  /** The difference may be of that. */
  isWithin: boolean;
};

async function compare({ context }: StripeRun, { at, amounts }: Balance): Promise<Compared[]> {
  const { brandId, id } = context.connection;
  return lookUp<Compared>(context.db, COMPARED, [
    ...[brandId, id, new Date(at.getTime() - UNCERTAIN_MS)],
    ...[amounts.map(({ type }) => type), amounts.map(({ currency }) => currency)],
    ...[amounts.map(({ amount }) => amount), PAYMENTS],
  ]);
}

// The balance must be the sum up to some second of those in question. Stripe names no currency of which an
// account never had anything, nor a type of balance that it does not use. The whole sum comes from the
// index alone (0004_raw_stripe.sql).
export const COMPARED = `
  with booked as materialized (
    select balance_type, currency, sum(net) filter (where created_at < $3) as settled,
           coalesce(sum(net) filter (where created_at >= $3 and net < 0), 0) as least,
           coalesce(sum(net) filter (where created_at >= $3 and net > 0), 0) as most
    from (
      select balance_type, currency, net, created_at from raw.stripe_balance_transactions
      where brand_id = $1 and connection_id = $2 and deleted_at is null
      order by created_at
    ) ledger
    group by balance_type, currency
  ), recent as (
    select balance_type, currency, sum(sum(net)) over (partition by balance_type, currency order by created_at) as net
    from (
      select balance_type, currency, net, created_at from raw.stripe_balance_transactions
      where brand_id = $1 and connection_id = $2 and created_at >= $3 and deleted_at is null
      order by created_at
    ) latest
    group by balance_type, currency, created_at
  ), told as (
    select * from unnest($4::text[], $5::text[], $6::numeric[]) as t (balance_type, currency, amount)
  )
  select e.type, e.currency, trim_scale(e.amount)::text as expected,
         trim_scale(coalesce(equal.amount, e.settled + e.least + e.most))::text as found,
         e.type = $7 or e.type in (select balance_type from told) as "isTold",
         equal.amount is not null as "isEqual", e.least <> 0 or e.most <> 0 as "isMoving",
         e.amount between e.settled + e.least and e.settled + e.most as "isWithin"
  from (
    select balance_type as type, currency, coalesce(amount, 0) as amount, coalesce(settled, 0) as settled,
           coalesce(least, 0) as least, coalesce(most, 0) as most
    from told full join booked using (balance_type, currency)
  ) e
  left join lateral (
    select c.amount from (
      select e.settled as amount
      union all
      select e.settled + r.net from recent r where (r.balance_type, r.currency) = (e.type, e.currency)
    ) c where c.amount = e.amount limit 1
  ) equal on true
  order by e.type <> $7, e.type, e.currency`;

function checkOf({ type, currency, expected, found, isEqual, isWithin }: Compared, balance: Balance): Check {
  const name = type === PAYMENTS ? `balance ${currency}` : `balance ${currency} of ${named(type)}`;
  const check = { name, expected, found, ok: isEqual || isWithin };
  if (isEqual) return check;
  if (isWithin)
    return { ...check, cause: 'the difference is no more than what was booked while it was asked for' };
  const reserved = balance.reserved.get(currency) ?? '0';
  const held = reserved === '0' ? '' : `; ${reserved} ${currency} are held back for connected accounts`;
  const whose = type === PAYMENTS ? '' : ` of ${named(type)}`;
  const cause = `Stripe's balance${whose} is ${expected} ${currency}, the balance transactions that are stored make ${found}${held}`;
  return { ...check, cause };
}

/** A type of balance, which is the name of a field that Stripe chose. */
function named(type: string): string {
  return quote(type, VALUE_CHARS_MAX);
}
