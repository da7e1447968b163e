/**
 * The two CSV layouts: the history with days like 2026-04-13 and `N/A` where there is no rate, and the
 * one-day file with blanks after its commas and a day like `13 April 2026`. Both end their lines with a
 * comma, which is not a column.
 */
import { type Collector, collect, cut, type Origin, type Published } from './published.ts';

const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September'],
  ...['October', 'November', 'December'],
];

type Cell = { text: string; column: number };
const NO_CELL: Cell = { text: '', column: 1 };

export function readCsv(text: string, origin: Origin): Published {
  const collector = collect(origin);
  const [header = '', ...lines] = text.split(/\r\n|\n|\r/);
  const [, ...currencies] = headerCells(header, collector);
  let isDaily = false;
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const place = (column: number) => ({ line: index + 2, column });
    const [date = NO_CELL, ...rates] = cellsOf(line);
    if (rates.length !== currencies.length) {
      const counts = `${rates.length} rates where the header names ${currencies.length} currencies`;
      collector.fail(`${counts}; decimal commas look like this`, place(1));
    }
    const longDay = fromLongDay(date.text);
    isDaily ||= longDay !== undefined;
    collector.day(longDay ?? date.text, place(date.column));
    for (const [at, currency] of currencies.entries()) {
      const { text: rate, column } = rates[at] ?? NO_CELL;
      collector.rate(currency.text, rate === 'N/A' || rate === '' ? null : rate, place(column));
    }
  }
  return collector.finish(isDaily ? 'daily CSV' : 'history CSV');
}

function headerCells(header: string, collector: Collector): Cell[] {
  const cells = cellsOf(header);
  const place = { line: 1, column: 1 };
  // Its content is not repeated, because a file that was named by mistake may hold anything.
  if (cells[0]?.text !== 'Date')
    collector.fail('it does not begin with a header like "Date,USD,JPY,"', place);
  if (cells.length < 2) collector.fail('the header names no currency', place);
  const seen = new Set<string>();
  for (const { text, column } of cells) {
    if (seen.has(text)) collector.fail(`the header names "${cut(text)}" twice`, { line: 1, column });
    seen.add(text);
  }
  return cells;
}

/** The cells of a line with their start columns, without the empty one after the last comma. */
function cellsOf(line: string): Cell[] {
  const cells: Cell[] = [];
  let start = 0;
  for (const piece of line.split(',')) {
    const blanks = piece.length - piece.trimStart().length;
    cells.push({ text: piece.trim(), column: start + blanks + 1 });
    start += piece.length + 1;
  }
  if (cells.length > 1 && cells.at(-1)?.text === '') cells.pop();
  return cells;
}

/** '13 April 2026' as '2026-04-13'. */
function fromLongDay(text: string): string | undefined {
  const [, day = '', month = '', year = ''] = /^(\d{1,2}) ([A-Za-z]+) (\d{4})$/.exec(text) ?? [];
  const number = MONTHS.indexOf(month) + 1;
  if (number === 0) return undefined;
  return `${year}-${String(number).padStart(2, '0')}-${day.padStart(2, '0')}`;
}
