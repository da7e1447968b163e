/** The ECB's reference rates, day by day as its own CSV gives them, cut as of an instant. */
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Place } from '../ndjson.ts';
import { localToInstant } from '../zone.ts';

const BUILT_IN = new URL('../data/ecb-eurofxref-hist.csv.gz', import.meta.url);
// Rates come out at about 16:00 in Frankfurt.
const PUBLISHED_AT = '16:00:00';
const ZONE = 'Europe/Berlin';

export type Day = {
  date: string;
  publishedAt: number;
  /** The line as it stands in the file, with its trailing comma. */
  line: string;
  /** By currency, without those that have none. */
  rates: ReadonlyMap<string, string>;
};
/** The newest day first. */
export type Rates = { header: string; days: readonly Day[] };

let builtIn: Promise<Rates> | undefined;

/** The real rates from 1999 to April 2026, read once. */
export function builtInRates(): Promise<Rates> {
  builtIn ??= readFile(BUILT_IN)
    .then(promisify(gunzip))
    .then((text) => parseRates(text.toString('utf8'), 'eurofxref-hist.csv'));
  return builtIn;
}

export async function readRates(root: string, file: string): Promise<Rates> {
  return parseRates(await readFile(file, 'utf8'), relative(root, file));
}

export function asOf({ header, days }: Rates, now: number): Rates {
  return { header, days: days.filter(({ publishedAt }) => publishedAt <= now) };
}

function parseRates(text: string, file: string): Rates {
  const [header = '', ...lines] = text.split(/\r?\n/);
  const [first, ...currencies] = header.split(',').map((cell) => cell.trim());
  if (first !== 'Date') new Place(file, 1).fail('the header must begin with "Date,"');
  const days = lines.flatMap((line, index) => {
    return line.trim() === '' ? [] : [parseDay(line, currencies, new Place(file, index + 2))];
  });
  days.sort((left, right) => (left.date < right.date ? 1 : -1));
  return { header, days };
}

function parseDay(line: string, currencies: readonly string[], place: Place): Day {
  const [date = '', ...cells] = line.split(',').map((cell) => cell.trim());
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || Number.isNaN(Date.parse(date))) {
    place.fail(`"${date}" is not a date such as 2026-11-20`);
  }
  const rates = new Map<string, string>();
  for (const [index, currency] of currencies.entries()) {
    const rate = cells[index] ?? '';
    if (currency === '' || rate === '' || rate === 'N/A') continue;
    if (!/^\d+(\.\d+)?$/.test(rate)) place.fail(`"${rate}" is not a rate of ${currency}`);
    rates.set(currency, rate);
  }
  return { date, publishedAt: localToInstant(`${date} ${PUBLISHED_AT}`, ZONE), line, rates };
}
