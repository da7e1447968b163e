/** Euro reference rates of the European Central Bank (Source: ECB statistics). */
export * from './calendar.ts';
export { RatesNotUnderstood } from './errors.ts';
export type { Published, PublishedDay } from './published.ts';
export { BYTES_MAX, readRates } from './read_rates.ts';
