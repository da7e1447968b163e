/** Counts and sums objects by day and currency, to compare one reading with another. */
import { fromMinor, shortest } from '../money.ts';

/** More decimal places than any currency has. */
const PLACES = 6;

export type Part = { day: string; currency: string; count: number; sum: string };

export type Difference = {
  day: string;
  currency: string;
  what: 'count' | 'sum';
  expected: number | string;
  found: number | string;
};

type Cell = { day: string; currency: string; count: number; sum: bigint };

export type Tally = {
  cells: ReadonlyMap<string, Cell>;
  add(part: Part): void;
  count(): number;
  sum(currency: string): string;
  currencies(): string[];
};

export function newTally(): Tally {
  const cells = new Map<string, Cell>();
  return {
    cells,
    add({ day, currency, count, sum }) {
      const key = `${day} ${currency}`;
      const cell = cells.get(key) ?? { day, currency, count: 0, sum: 0n };
      cells.set(key, { ...cell, count: cell.count + count, sum: cell.sum + scaled(sum) });
    },
    count: () => [...cells.values()].reduce((all, { count }) => all + count, 0),
    sum: (currency) =>
      amountOf(
        [...cells.values()].reduce((all, cell) => (cell.currency === currency ? all + cell.sum : all), 0n),
      ),
    currencies: () => [...new Set([...cells.values()].map(({ currency }) => currency))],
  };
}

/** The days on which two tallies differ, by count or, where the counts agree, by sum; oldest first. */
export function differences(expected: Tally, found: Tally): Difference[] {
  const keys = [...new Set([...expected.cells.keys(), ...found.cells.keys()])].sort();
  return keys.flatMap((key) => {
    const [here, there] = [expected.cells.get(key), found.cells.get(key)];
    const { day, currency } = here ?? there ?? { day: '', currency: '' };
    const counts = { day, currency, expected: here?.count ?? 0, found: there?.count ?? 0 };
    const [wanted, stored] = [here?.sum ?? 0n, there?.sum ?? 0n];
    const sums = { day, currency, expected: amountOf(wanted), found: amountOf(stored) };
    return [
      ...(counts.expected === counts.found ? [] : [{ ...counts, what: 'count' } as const]),
      ...(wanted === stored ? [] : [{ ...sums, what: 'sum' } as const]),
    ];
  });
}

/** An amount as an integer of its last decimal place; exact, because no amount has more places. */
function scaled(amount: string): bigint {
  const [whole = '0', fraction = ''] = amount.split('.');
  return BigInt(whole + fraction.padEnd(PLACES, '0'));
}

function amountOf(sum: bigint): string {
  return shortest(fromMinor(sum, PLACES));
}
