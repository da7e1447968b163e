import { Place } from '../../ndjson.ts';
import type { Money, StripeAccount, StripeObject } from '../objects.ts';
import { completeBySchema } from '../schema.ts';
import type { Question } from './question.ts';

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
  const types = book.balance(now);
  const nothing = new Map([[caller.account.currency, { available: 0, pending: 0 }]]);
  const payments = new Map(types.get('payments') ?? nothing);
  for (const { currency, amount } of faults.balanceOff) {
    const sum = payments.get(currency);
    if (sum) payments.set(currency, { ...sum, available: sum.available + amount });
  }
  const issuing = types.get('issuing');
  const prefunding = types.get('refund_and_dispute_prefunding');
  return {
    object: 'balance',
    ...both(payments),
    livemode: book.livemode,
    // Stripe tells nothing of what is pending there, nor anything of `risk_reserved`.
    ...(issuing ? { issuing: { available: both(issuing).available } } : {}),
    ...(prefunding ? { refund_and_dispute_prefunding: both(prefunding) } : {}),
  };
}

function both(sums: ReadonlyMap<string, Money>) {
  const amounts = (of: keyof Money) =>
    [...sums].map(([currency, sum]) => ({
      amount: sum[of],
      currency,
      source_types: { card: sum[of] },
    }));
  return { available: amounts('available'), pending: amounts('pending') };
}
