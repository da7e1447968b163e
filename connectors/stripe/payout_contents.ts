/**
 * What an automatic payout consists of: only Stripe can tell which balance transactions. They are given
 * its id, and have to make its amount together.
 */
import { type Item, type Row, table } from '#sql/table.ts';
import type { Fields } from '../fields.ts';
import { fromMinor } from '../money.ts';
import type { Page } from '../stream.ts';
import { exact, withFailures } from './balance.ts';
import { balanceTransactions, toItem } from './balance_transactions.ts';
import { listPages } from './list.ts';
import { emptyPage, type Reading } from './reading.ts';
import { placesOf, refIfAny } from './values.ts';

/** The ledger itself never says which payout a transaction is in, and so leaves the column alone. */
const paidOut = table({
  ...balanceTransactions,
  columns: { ...balanceTransactions.columns, payout_id: 'text' },
});

const target = { tables: [paidOut], stream: 'stripe.balance_transactions' };

/** The pages of each payout of the items of which Stripe has settled what it contains. */
export async function* contentsOfPayouts(reading: Reading, items: readonly Item[]): AsyncGenerator<Page> {
  for (const item of items) {
    const [payout] = item.rows['raw.stripe_payouts'] ?? [];
    if (payout && isSettled(payout)) yield* contentsOfPayout(reading, payout);
  }
}

function isSettled({ automatic, status, reconciliation_status: reconciliation }: Row): boolean {
  return automatic === true && status === 'paid' && reconciliation === 'completed';
}

async function* contentsOfPayout(reading: Reading, payout: Row): AsyncGenerator<Page> {
  const id = String(payout.id);
  const currency = String(payout.currency);
  let sum = 0n;
  for await (const { objects, sentAt } of listPages(reading.stripe, '/v1/balance_transactions', [
    ['payout', id],
  ])) {
    const parts = objects.filter((object) => refIfAny(object, 'source') !== id); // its own booking is listed too
    for (const { net } of parts) sum += BigInt(Number(net));
    yield { ...emptyPage(reading), target, items: parts.map((object) => withPayout(object, id, sentAt)) };
  }
  const expected = exact(String(payout.amount));
  const found = exact(fromMinor(sum, currency, placesOf(currency)));
  const check = { name: `payout ${id}`, expected, found, ok: expected === found };
  const cause = `payout ${id} is ${expected} ${currency}, its balance transactions make ${found}`;
  yield withFailures({ ...emptyPage(reading), checks: [check.ok ? check : { ...check, cause }] });
}

function withPayout(object: Fields, payoutId: string, sentAt: Date): Item {
  const { id, changedAt, rows } = toItem(object, { sentAt });
  const [row = {}] = rows[paidOut.name] ?? [];
  return { id, changedAt, rows: { [paidOut.name]: [{ ...row, payout_id: payoutId }] } };
}
