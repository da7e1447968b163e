import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

const FILE = new URL('../data/online-retail/online-retail.csv.gz', import.meta.url);
const LINES_MAX = 600_000;

/** Texts that repeat, kept once and known by their number. */
export class Names {
  readonly #numbers = new Map<string, number>();
  readonly list: string[] = [];

  numberOf(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      // A copy, because a part of a string keeps the whole string alive, here all of the file.
      const own = Buffer.from(text).toString();
      number = this.list.push(own) - 1;
      this.#numbers.set(own, number);
    }
    return number;
  }

  name(number: number): string {
    return this.list[number] ?? '';
  }
}

/** The invoice lines, column by column; a line is known by its number in the file, from 0. */
export type InvoiceLines = {
  count: number;
  invoices: Names;
  stocks: Names;
  titles: Names;
  times: Names;
  customers: Names;
  countries: Names;
  invoice: Int32Array;
  stock: Int32Array;
  title: Int32Array;
  quantity: Int32Array;
  time: Int32Array;
  /** Price in thousandths of a pound: the data have up to three places. */
  price: Int32Array;
  customer: Int32Array;
  country: Int32Array;
};

export async function readInvoiceLines(): Promise<InvoiceLines> {
  const lines = emptyLines();
  let rest = '';
  let isHeader = true;
  const text = createReadStream(FILE).pipe(createGunzip()).setEncoding('utf8');
  for await (const chunk of text) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      if (isHeader) isHeader = false;
      else addLine(lines, part);
    }
  }
  if (rest) addLine(lines, rest);
  return lines;
}

function emptyLines(): InvoiceLines {
  const column = () => new Int32Array(LINES_MAX);
  return {
    count: 0,
    invoices: new Names(),
    stocks: new Names(),
    titles: new Names(),
    times: new Names(),
    customers: new Names(),
    countries: new Names(),
    invoice: column(),
    stock: column(),
    title: column(),
    quantity: column(),
    time: column(),
    price: column(),
    customer: column(),
    country: column(),
  };
}

function addLine(lines: InvoiceLines, text: string): void {
  const cells = text.includes('"') ? splitQuoted(text) : text.split(',');
  const [
    invoice = '',
    stock = '',
    title = '',
    quantity = '',
    time = '',
    price = '',
    customer = '',
    country = '',
  ] = cells;
  const at = lines.count++;
  lines.invoice[at] = lines.invoices.numberOf(invoice);
  lines.stock[at] = lines.stocks.numberOf(stock);
  lines.title[at] = lines.titles.numberOf(title.trim());
  lines.quantity[at] = Number(quantity);
  lines.time[at] = lines.times.numberOf(time);
  lines.price[at] = toThousandths(price);
  lines.customer[at] = lines.customers.numberOf(customer);
  lines.country[at] = lines.countries.numberOf(country);
}

function splitQuoted(text: string): string[] {
  const cells: string[] = [];
  for (let at = 0; at <= text.length; ) {
    if (text[at] !== '"') {
      const end = text.indexOf(',', at);
      cells.push(text.slice(at, end < 0 ? text.length : end));
      at = end < 0 ? text.length + 1 : end + 1;
      continue;
    }
    let end = text.indexOf('"', at + 1);
    while (text[end + 1] === '"') end = text.indexOf('"', end + 2);
    cells.push(text.slice(at + 1, end).replaceAll('""', '"'));
    at = end + 2;
  }
  return cells;
}

/** `12.75` to 12750, digit by digit, so that no fraction is ever a float. */
export function toThousandths(text: string): number {
  const [whole = '0', fraction = ''] = text.split('.');
  if (fraction.length > 3) throw new RangeError(`"${text}" has more than three places`);
  const units = Number(whole.replace('-', '')) * 1000 + Number(fraction.padEnd(3, '0'));
  return whole.startsWith('-') ? -units : units;
}
