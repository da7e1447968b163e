/** The balance that Stripe says there is, against the sum of all balance transactions that are stored. */
import { ScopeMissing } from '../errors.ts';
import { each, type Fields, integer, text } from '../fields.ts';
import { decimal, fromMinor } from '../money.ts';
import type { Check, Page } from '../stream.ts';
import { emptyPage, type Reading } from './reading.ts';
import { placesOf } from './values.ts';

export type Balance = { at: Date; amounts: ReadonlyMap<string, string> };

/** Undefined where the key may not read it: then nothing tells that a row is missing. */
export async function readBalance({ stripe, context }: Reading): Promise<Balance | undefined> {
  try {
    return await stripe.get('/v1/balance', [], (body, at) => ({ at, amounts: amountsOf(body) }));
  } catch (error) {
    if (!(error instanceof ScopeMissing)) throw error;
    context.warn(`The sum of balance transactions is not checked: ${error.message}`);
    return undefined;
  }
}

/** Available and pending together, by currency. */
function amountsOf(body: Fields): Map<string, string> {
  const minor = new Map<string, bigint>();
  for (const key of ['available', 'pending']) {
    each(body, key, (entry) => {
      const currency = text(entry, 'currency').toUpperCase();
      minor.set(currency, (minor.get(currency) ?? 0n) + BigInt(integer(entry, 'amount')));
    });
  }
  return new Map(
    [...minor].map(([currency, sum]) => [currency, exact(fromMinor(sum, currency, placesOf(currency)))]),
  );
}

/** What was booked up to the second at which the balance was asked for, all of which has to be stored by now. */
export async function balanceChecks(reading: Reading, { at, amounts }: Balance): Promise<Page> {
  const { brandId, id } = reading.context.connection;
  const { rows } = await reading.context.db.query<{ currency: string; net: string }>(
    `select currency, sum(net)::text as net from raw.stripe_balance_transactions
     where brand_id = $1 and connection_id = $2 and balance_type = 'payments' and deleted_at is null
       and created_at <= $3
     group by currency`,
    [brandId, id, at],
  );
  const sums = new Map(rows.map(({ currency, net }) => [currency, exact(net)]));
  const currencies = [...new Set([...amounts.keys(), ...sums.keys()])].sort();
  const checks = currencies.map((currency): Check => {
    const expected = amounts.get(currency) ?? '0';
    const found = sums.get(currency) ?? '0';
    const check = { name: `balance ${currency}`, expected, found, ok: expected === found };
    if (check.ok) return check;
    const cause = `Stripe's balance is ${expected} ${currency}, the balance transactions that are stored make ${found}`;
    return { ...check, cause };
  });
  return withFailures({ ...emptyPage(reading), checks });
}

/** A run whose checks failed is not whole. */
export function withFailures(page: Page): Page {
  const causes = (page.checks ?? []).flatMap(({ cause }) => cause ?? []);
  return causes.length === 0 ? page : { ...page, incomplete: causes.join('; ') };
}

/** The shortest text, so that equal amounts are equal texts. */
export function exact(amount: string): string {
  return decimal(amount) ?? amount;
}
