/** A figure and what it is made of, as a person reads it. */
import { count } from '../ui/format.ts';
import { cellOf, instant } from '../ui/output.ts';
import type { Asked } from './ask.ts';
import type { Figure } from './read.ts';

type Part = Figure['parts'][number];

export function linesOf(figure: Figure, asked: Asked): string[] {
  const { column } = asked;
  return [
    ...headLines(figure, asked),
    `made of ${count(figure.all_parts, 'part')}${column ? `, of which those that add to ${column}` : ''}:`,
    ...figure.parts.map(partLine),
    ...(figure.rest === null
      ? []
      : [`  and ${count(figure.rest.rows, 'more part')} (--limit): ${amounts(figure.rest.adds)}`]),
    ...nextLines(figure),
    ...rateLines(figure),
    'adds up:',
    ...sumLines(figure),
    ...figure.others.filter(({ agrees }) => !agrees).map(otherLine),
    ...verdictLines(figure),
    ...figure.restatements.map(
      ({ column: of, old_value: old, new_value: now, cause, restated_at: at, cells }) =>
        `restated at ${instant(at)}: ${of} from ${old ?? 'unknown'} to ${now ?? 'unknown'} (${cause})${cells > 1 ? `, sum of ${cells} figures` : ''}`,
    ),
    ...closedLines(figure, asked),
  ];
}

function closedLines({ closed }: Figure, { rollup, column }: Asked): string[] {
  if (closed === null) return [];
  const { period, closed_at: at, figures } = closed;
  const shown = column ? [column] : rollup.measures.filter((one) => (figures?.[one] ?? '0') !== '0');
  const was = figures && (shown.map((one) => `${one} ${figures[one] ?? 'unknown'}`).join(', ') || 'nothing');
  return [`when ${period.slice(0, 7)} was closed at ${instant(at)}: ${was ?? 'there was no such row'}`];
}

function headLines(
  { figure, brand, retailer, key, row, computed_at: at, all_parts: parts }: Figure,
  { rollup }: Asked,
): string[] {
  const whose = retailer === null ? brand : `${retailer} of ${brand}`;
  const { retailer_id: _, owner_id: __, ...own } = key;
  const which = Object.entries(own).map(([column, value]) =>
    column === 'day' ? value : `${column} ${value}`,
  );
  const name = [`${figure} of ${whose}`, ...which].join(', ');
  if (row === null || at === null) return [`${name}: there is no such row, but ${count(parts, 'part')}`];
  const told = rollup.measures.filter((column) => row[column] !== null && row[column] !== '0');
  return [
    `${name}, last changed at ${instant(at)}`,
    `  ${told.map((column) => `${column} ${row[column]}`).join(', ') || 'nothing'}`,
  ];
}

function partLine({ part, id, at, adds, unknown, tells, version, kind }: Part): string {
  const told = Object.entries(tells ?? {}).filter(([, value]) => value !== null && value !== '');
  const notes = [
    ...told.map(([name, value]) => `${name.replaceAll('_', ' ')} ${cellOf(value)}`),
    ...(version === null
      ? kind === null
        ? []
        : ['its stored object is not there']
      : [
          `${version.table} of ${version.connection}, version ${instant(version.changed_at)}, seen ${instant(version.seen_at)}`,
          ...(version.deleted_at === null ? [] : [`deleted ${instant(version.deleted_at)}`]),
        ]),
  ];
  const when = at === null ? '' : `, ${instant(at)}`;
  const what = [amounts(adds), ...unknown.map((column) => `${column} is unknown`)].filter(
    (text) => text !== '',
  );
  return `  ${part} ${id}${when}: ${what.join(', ')}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
}

function amounts(adds: Readonly<Record<string, string>>): string {
  return (
    Object.entries(adds)
      .filter(([, value]) => Number(value) !== 0)
      .map(([column, value]) => `${column} ${value}`)
      .join(', ') || 'nothing'
  );
}

/** The command that goes one step down, for the largest part. */
function nextLines({ parts }: Figure): string[] {
  const first = parts.find(({ next }) => next !== null);
  return first?.next ? [`what the first one is made of: ${first.next}`] : [];
}

function rateLines({ rates, row, key }: Figure): string[] {
  if (rates === null || row === null) return [];
  const published = rates.rates.map(
    ({ currency, units_per_euro: units, source }) => `${units} ${currency} for one euro (${source})`,
  );
  const converted = Object.entries(rates.reporting).filter(
    ([, value]) => value !== null && Number(value) !== 0,
  );
  return [
    `rate: 1 ${key.currency} = ${row.fx_rate} ${row.reporting_currency}, published for ${row.fx_day}: ${published.join(', ')}`,
    ...(converted.length > 0
      ? [`  amounts × rate, rounded: ${converted.map(([column, value]) => `${column} ${value}`).join(', ')}`]
      : []),
  ];
}

/** Columns that are 0 are told together. */
function sumLines({ sums }: Figure): string[] {
  const isNothing = ({ parts, cell, agrees }: Figure['sums'][number]) =>
    agrees && parts === '0' && (cell ?? '0') === '0';
  const nothing = sums.filter(isNothing);
  return [
    ...sums.filter((sum) => !isNothing(sum)).map(sumLine),
    ...(nothing.length > 0
      ? [`  0 and made of nothing: ${nothing.map(({ column }) => column).join(', ')}`]
      : []),
  ];
}

function sumLine({ column, parts, cell, agrees }: Figure['sums'][number]): string {
  return `  ${column}: parts ${parts ?? 'unknown'}, figure ${cell ?? 'unknown'}${agrees ? '' : ' <-- NOT EQUAL'}`;
}

function otherLine({ column, fresh, cell }: Figure['others'][number]): string {
  return `  ${column}: computed again ${fresh ?? 'null'}, figure ${cell ?? 'null'} <-- NOT EQUAL`;
}

function verdictLines({ brand, adds_up: addsUp, waiting, key, sums, others }: Figure): string[] {
  const span = key.day === undefined ? '' : ` --from ${key.day} --to ${key.day}`;
  const run = `npx nightshift rollup run --brand ${brand}${span} --wait`;
  const pending = waiting.map(
    ({ subject, marks, since }) => `${count(marks, 'mark')} of ${subject} since ${instant(since)}`,
  );
  if (addsUp)
    return [
      `the parts add up to the figure${sums.length > 1 ? ' in every column that is a sum' : ''}`,
      ...(others.length > 0
        ? [
            `computed again, ${others.length > 1 ? 'the other columns are' : 'the other column is'} as stored: ${others.map(({ column }) => column).join(', ')}`,
          ]
        : []),
      ...(pending.length > 0 ? [`a rollup is pending and may change it: ${pending.join(', ')}`] : []),
    ];
  const fault = sums.every(({ agrees }) => agrees)
    ? 'COMPUTED AGAIN, THE FIGURE DIFFERS'
    : 'THE PARTS DO NOT ADD UP';
  if (pending.length > 0) return [`${fault}: a rollup is pending (${pending.join(', ')})`, `  next: ${run}`];
  return [`${fault}, and no rollup is pending: the figure is wrong`, `  next: ${run}`];
}
