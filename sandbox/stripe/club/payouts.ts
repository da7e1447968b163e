/** Weekly payouts of the club, one for each currency, by the rule of the built-in accounts. */
import { payOut, type Transaction } from '../giftware/money.ts';
import type { StripeObject } from '../objects.ts';

const DAY_SECONDS = 86_400;

/** The payouts, and all balance transactions: those given, with the payout of each, and the payouts' own. */
export function payOutDrafts(
  given: readonly StripeObject[],
  now: number,
): Record<'payouts' | 'balance_transactions', StripeObject[]> {
  const made = { payouts: [] as StripeObject[], balance_transactions: [] as StripeObject[] };
  for (const currency of new Set(given.map((draft) => String(draft.currency)))) {
    const drafts = given.filter((draft) => draft.currency === currency);
    const moved = drafts.map(readTransaction).sort((left, right) => left.created - right.created);
    const payouts = payOut(moved, `${currency}_`);
    const payoutOf = new Map(moved.map(({ id, payout }) => [id, payout]));
    for (const draft of drafts) {
      const _payout = payoutOf.get(String(draft.id));
      made.balance_transactions.push(_payout === undefined ? draft : { ...draft, _payout });
    }
    for (const { id, created, amount } of payouts) {
      const arrival_date = created + DAY_SECONDS;
      const facts = { id, created, amount, currency, arrival_date };
      made.payouts.push({ ...facts, status: 'in_transit', reconciliation_status: 'in_progress' });
      if (arrival_date <= now) made.payouts.push({ ...facts, status: 'paid', _at: arrival_date });
      made.balance_transactions.push({
        ...{ id: `txn_${id}`, source: id, type: 'payout', created, amount: -amount, currency, _payout: id },
      });
    }
  }
  return made;
}

function readTransaction({ id, source, created, available_on, amount, fee }: StripeObject): Transaction {
  return {
    ...{ id: String(id), type: 'charge', source: String(source), created: Number(created) },
    ...{ availableOn: Number(available_on), amount: Number(amount), fee: Number(fee), payout: undefined },
  };
}
