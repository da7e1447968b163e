/** The digest of a night in words, for a terminal or a letter. */
import { count, grouped } from '#runtime/wording.ts';
import type { Digest } from './digest.ts';

/** Figures of the day, what is late, and what has changed of days before. */
export function digestLines({
  sources,
  connections,
  sales,
  restatements,
}: Partial<Pick<Digest, 'restatements'>> & Omit<Digest, 'restatements'>): string[] {
  return [
    ...sources.map(({ source, state, cause }) => `${source}: ${state}${cause ? ` (${cause})` : ''}`),
    ...connections
      .filter(({ state }) => state !== 'ok')
      .map(({ connection, state, cause }) => `${connection} is ${state}${cause ? `: ${cause}` : ''}`),
    ...sales.map((one) => {
      const compared = `${grouped(one.net_sales_week_before)} a week before, ${grouped(one.band_low)} to ${grouped(one.band_high)} in 28 days`;
      const outside = one.is_outside_band ? '  OUTSIDE' : '';
      return `${one.retailer}  ${grouped(one.net_sales)} ${one.currency} net of ${count(one.orders, 'order')} (${compared})${outside}`;
    }),
    ...restatedLines(restatements),
  ];
}

/** Nights of before this was said have none. */
function restatedLines(restated: Digest['restatements'] | undefined): string[] {
  if (restated === undefined || restated.cells === 0) return [];
  const causes = restated.causes.map(({ cause, cells }) => `${cells} ${cause}`).join(', ');
  return [
    `${count(restated.cells, 'final figure')} changed since the night before: ${causes}`,
    ...restated.largest.map(
      ({ retailer, day, currency, difference }) =>
        `${retailer}: net sales of ${day} changed by ${grouped(difference)} ${currency}, the most in ${currency}`,
    ),
  ];
}
