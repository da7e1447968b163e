/** Formats the money of the demo for a person: cash beside sales, then recurring revenue. */
import { count, grouped } from '../ui/format.ts';
import { bold, green, red } from '../ui/output.ts';
import { CLUB } from './accounts.ts';
import type { Cash, Compared, Consolidated, Money, Recurring } from './money.ts';
import { table } from './table.ts';

export function moneyLines(money: Money): string[] {
  return [...cashLines(money), ...recurringLines(money)];
}

const CASH_COLUMNS = {
  'net sales': 'net_sales',
  charged: 'charges',
  refunded: 'refunds',
  fees: 'fees',
  net: 'net',
  'paid out': 'payouts',
  balance: 'closing_balance',
} as const satisfies Record<string, keyof Cash>;

function cashLines({ cash, compared }: Money): string[] {
  const main = cash[0]?.currency ?? '';
  const rows = cash.map((row) => [
    `${row.retailer}${row.currency === main ? '' : ` ${row.currency}`}`,
    ...Object.values(CASH_COLUMNS).map((column) => whole(row[column])),
  ]);
  return [
    '',
    bold(`Cash of Stripe beside sales, whole ${main}`),
    ...table([['', ...Object.keys(CASH_COLUMNS)], ...rows]),
    `  ${proof(compared)}`,
    `  ${CLUB}: made-up subscriptions, no shop. Cash pays for sales and is not a sale.`,
  ];
}

function proof({ days_compared, days_differing }: Compared): string {
  const days = `of ${grouped(days_compared)} retailer days`;
  return days_differing === 0 && days_compared > 0
    ? green(`charged = the orders of the day, to the penny, on each ${days}`)
    : red(`charges differ from orders on ${grouped(days_differing)} ${days}`);
}

const MOVEMENTS = {
  new: 'new_mrr',
  more: 'expansion_mrr',
  back: 'reactivated_mrr',
  less: 'contraction_mrr',
  lost: 'churned_mrr',
} as const satisfies Record<string, keyof Recurring>;

/** A line a month, with the currencies side by side. */
function recurringLines(money: Money): string[] {
  const { recurring, consolidated } = money;
  const currencies = [...new Set(recurring.map(({ currency }) => currency))];
  const months = [...new Set(recurring.map(({ month }) => month))].sort();
  const cells = (month: string, wanted: string) => {
    const row = recurring.find((one) => one.month === month && one.currency === wanted);
    return row
      ? [row.mrr, ...Object.values(MOVEMENTS).map((column) => unlessZero(row[column]))]
      : Array(6).fill('');
  };
  const rows = months.map((month) => [month, ...currencies.flatMap((currency) => cells(month, currency))]);
  const head = currencies.flatMap((currency) => [currency, ...Object.keys(MOVEMENTS)]);
  return [
    '',
    bold(`Recurring revenue of the ${CLUB} at the end of each month, and what moved it`),
    ...table([['', ...head], ...rows]),
    ...(consolidated ? together(consolidated) : []),
    `  ${reconstructed(money)}`,
  ];
}

function together({ day, currency, mrr, rates }: Consolidated): string[] {
  if (mrr === null) return [`  On ${day} a rate is missing to add these up in ${currency}.`];
  const sum = `  On ${day} together ${bold(`${grouped(mrr)} ${currency}`)}`;
  return rates.length > 0 ? [`${sum} (ECB: ${rates.join(', ')})`] : [sum];
}

function reconstructed({ days_of_mrr: days, days_reconstructed: made }: Money): string {
  if (made === 0) return `All of ${count(days, 'day')} were observed.`;
  return `${grouped(made)} of ${count(days, 'day')} reconstructed from times and invoices (Stripe has no past).`;
}

function unlessZero(amount: string): string {
  return /^[0.]+$/.test(amount) ? '' : amount;
}

/** To the whole unit, half away from zero; works on the text, so that nothing passes through a float. */
export function whole(amount: string | null): string {
  const [, sign = '', units = '0', next = '0'] = /^(-?)(\d+)(?:\.(\d))?/.exec(amount ?? '') ?? [];
  if (amount === null) return '';
  const rounded = BigInt(units) + (next >= '5' ? 1n : 0n);
  return `${rounded === 0n ? '' : sign}${grouped(String(rounded))}`;
}
