/** Compares Stripe's balance with the sum of all stored balance transactions. */
import { isCurrency } from '#runtime/currencies.ts';
import { quote, scrub, shown, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { ScopeMissing } from '../../kit/errors.ts';
import { failingChecks, overCheck } from '../../kit/failing.ts';
import { each, type Fields, integer, isObject, text } from '../../kit/fields.ts';
import { pause } from '../../kit/http/retry.ts';
import { fromMinor, shortest } from '../../kit/money.ts';
import { type ComparedSum, compareSums, type Ledger } from '../../kit/stored/sums.ts';
import type { Check } from '../../kit/stream.ts';
import { emptyPage, withFailures } from '../../kit/sync_run.ts';
import { placesOf } from '../api/coerce.ts';
import type { Page } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';

/** The balance of an account in one currency, available and pending together. */
type Amount = { type: string; currency: string; amount: string };

export type Balance = {
  at: Date;
  amounts: readonly Amount[];
  /** The amounts that a platform must reserve for its connected accounts, by currency; the ledger includes them. */
  reserved: ReadonlyMap<string, string>;
};

/** The default of `balance_type`. */
const PAYMENTS = 'payments';
/** The index over these columns is in 0004_raw_stripe.sql. */
export const LEDGER: Ledger = {
  table: 'raw.stripe_balance_transactions',
  kind: 'balance_type',
  amount: 'net',
};
const STREAM = 'stripe.balance_transactions';
const CHECK = 'balance ';
/** Clocks differ, so a transaction booked in this interval before the request may or may not be in the balance. */
export const UNCERTAIN_MS = 30_000;
/** On a busy account the balance is requested up to this often, until nothing is booked around a request. */
const READS_MAX = 3;
/** A transaction may be in the balance before it is listed. */
const READS_AT_REST_MAX = 2;
const PAUSE_MS = 1_500;

/** Undefined if the key may not read it: then a missing row goes unnoticed. */
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

/** Balances besides that of payments, as far as Stripe reports what is pending in them. */
function otherTypes(body: Fields, stray: Stray): Amount[] {
  return Object.entries(body).flatMap(([type, value]) =>
    isObject(value) && Array.isArray(value.available) && Array.isArray(value.pending)
      ? amountsOf(type, value, stray)
      : [],
  );
}

/** `instant_available` is part of these, so it is never added. */
function amountsOf(type: string, body: Fields, stray: Stray): Amount[] {
  return [...sumsOf(body, ['available', 'pending'], stray)].map(([currency, amount]) => ({
    type,
    currency,
    amount,
  }));
}

/**
 * Is called with a code that is not a currency: its transactions are quarantined, and the other balances are still
 * checked.
 */
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
  /** The page that moves the position if the balance alone proves the ledger. Absent: it proves nothing. */
  proved: ((balance: Balance) => Page) | undefined;
  /** Brings the ledger up to date; `times` counts these reads. `isReported`: Stripe reports the balance. */
  list(times: number, isReported: boolean): AsyncIterable<Page>;
};

/**
 * The checks of the balance. Ledger and balance are read again while they differ, because a booking between the two
 * requests is in one of them only.
 */
export async function* balancePages(run: StripeRun, { proved, list }: LedgerReading): AsyncGenerator<Page> {
  for (let reads = 1; ; reads++) {
    // Before the list, so that everything in the balance is in the list too.
    const balance = await readBalance(run);
    if (balance && proved && reads === 1) {
      const found = await compare(run, balance);
      if (found.every(({ isReported, isEqual }) => !isReported || isEqual))
        return yield await checkedPage(run, proved(balance), { found, balance });
    }
    yield* list(reads, balance !== undefined);
    if (!balance) return;
    const found = await compare(run, balance);
    const differing = found.filter(({ isReported, isEqual }) => isReported && !isEqual);
    const isMoving = differing.some((one) => one.isMoving);
    if (differing.length > 0 && reads < (isMoving ? READS_MAX : READS_AT_REST_MAX)) {
      const { signal, stats } = run.context;
      await pause(PAUSE_MS * reads, { signal, stats, attemptsMax: READS_MAX });
      continue;
    }
    return yield await checkedPage(run, emptyPage(run), { found, balance });
  }
}

async function checkedPage(
  { context }: StripeRun,
  page: Page,
  { found, balance }: { found: readonly Compared[]; balance: Balance },
): Promise<Page> {
  for (const one of found.filter(({ isReported }) => !isReported))
    context.warn(`Stripe reports no balance of ${named(one.type)}: its ${one.currency} is not checked`);
  const checks = found.filter(({ isReported }) => isReported).map((one) => checkOf(one, balance));
  const names = new Set(checks.map(({ name }) => scrub(name))); // as they are stored
  const failed = [...(await failingChecks(context, STREAM)).keys()].filter((name) => name.startsWith(CHECK));
  const over = failed.filter((name) => !names.has(name));
  checks.push(...over.map((name) => overCheck(name, 'Stripe reports no such balance')));
  return withFailures({ ...page, checks });
}

type Compared = Omit<ComparedSum, 'kind'> & { type: string };

/** Of payments Stripe reports all there is; another type of balance that it does not name it may not use. */
async function compare({ context }: StripeRun, { at, amounts }: Balance): Promise<Compared[]> {
  const reported = amounts.map(({ type: kind, currency, amount }) => ({ kind, currency, amount }));
  const uncertainFrom = new Date(at.getTime() - UNCERTAIN_MS);
  const sums = await compareSums(context, LEDGER, { reported, uncertainFrom });
  const all = sums.map(({ kind: type, isReported, ...sum }) => ({
    ...{ ...sum, type },
    isReported: isReported || type === PAYMENTS,
  }));
  return [...all.filter(({ type }) => type === PAYMENTS), ...all.filter(({ type }) => type !== PAYMENTS)];
}

function checkOf({ type, currency, expected, found, isEqual, isWithin }: Compared, balance: Balance): Check {
  const name = `${CHECK}${currency}${type === PAYMENTS ? '' : ` of ${named(type)}`}`;
  const check = { name, expected, found, ok: isEqual || isWithin };
  if (isEqual) return check;
  if (isWithin) return { ...check, cause: 'the difference is at most what was booked during the request' };
  const reserved = balance.reserved.get(currency) ?? '0';
  const held = reserved === '0' ? '' : `; ${reserved} ${currency} are held back for connected accounts`;
  const whose = type === PAYMENTS ? '' : ` of ${named(type)}`;
  const cause = `Stripe's balance${whose} is ${expected} ${currency}, the stored balance transactions sum to ${found}${held}`;
  return { ...check, cause };
}

/** A type of balance, which is a field name of Stripe. */
function named(type: string): string {
  return quote(type, VALUE_CHARS_MAX);
}
