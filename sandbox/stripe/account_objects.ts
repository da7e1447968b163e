import { Place } from '../ndjson.ts';
import type { Question } from './answer.ts';
import type { StripeAccount, StripeObject } from './objects.ts';
import { completeBySchema } from './schema.ts';

/** `/v1/account` of an account. */
export function accountObject({ id, name, country, currency, created }: StripeAccount): StripeObject {
  const facts = {
    id,
    business_type: 'company',
    charges_enabled: true,
    country,
    created,
    default_currency: currency,
    details_submitted: true,
    email: null,
    metadata: {},
    payouts_enabled: true,
    settings: { dashboard: { display_name: name, timezone: 'Etc/UTC' } },
    type: 'standard',
  };
  return completeBySchema(facts, 'account', new Place('account', 1), () => {});
}

/** `/v1/balance`: the sums of the balance transactions, unless a fault says otherwise. */
export function balanceObject({ book, now, faults, caller }: Question): StripeObject {
  const sums = book.balance(now);
  const nothing = [[caller.account.currency, { available: 0, pending: 0 }] as const];
  const money = [...(sums.size > 0 ? sums : nothing)].map(([currency, { available, pending }]) => {
    const off = faults.balanceOff.filter((fault) => fault.currency === currency);
    return { currency, pending, available: off.reduce((sum, { amount }) => sum + amount, available) };
  });
  const entry = (currency: string, amount: number) => ({ amount, currency, source_types: { card: amount } });
  return {
    object: 'balance',
    available: money.map(({ currency, available }) => entry(currency, available)),
    livemode: book.livemode,
    pending: money.map(({ currency, pending }) => entry(currency, pending)),
  };
}
