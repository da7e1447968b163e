/** Formats the figures of the demo for a person. */
import { type Bar, barChart } from '../ui/chart.ts';
import { count, grouped, span } from '../ui/format.ts';
import { bold, green, red } from '../ui/output.ts';
import type { Figures, Ranked } from './figures.ts';
import { type ForecastOfRetailer, forecastLines } from './forecast.ts';
import { type Loss, lossLines } from './loss.ts';
import type { Money } from './money.ts';
import type { Reached } from './reach.ts';
import { moneyLines } from './report_money.ts';
import { reachLines, SOCIAL_ATTRIBUTION } from './report_reach.ts';
import { verdictLines } from './report_verdicts.ts';
import type { Step } from './steps.ts';
import type { Verdicts } from './verdicts.ts';
import type { Work } from './work.ts';

export const ATTRIBUTIONS = [
  'Orders: Chen, D. (2015). Online Retail. UCI Machine Learning Repository. https://doi.org/10.24432/C5BW33. CC BY 4.0.',
  SOCIAL_ATTRIBUTION,
];

export type Report = Figures & {
  money: Money;
  reach: Reached[];
  verdicts: Verdicts;
  forecast: ForecastOfRetailer[];
  loss: Loss;
  exact: boolean;
  steps: Step[];
  work: Work;
  embedded: boolean;
};

const BAR_WIDTH = 36;
const NAME_WIDTH = 36;

export function reportLines(report: Report): string[] {
  const { totals, exact, months, products, countries, money, reach, verdicts, forecast, loss } = report;
  return [
    '',
    bold('A year of giftware'),
    ...totalLines(
      totals,
      exact ? green('= the published totals, to the last digit') : red('not the published totals'),
    ),
    ...chart('Net sales by month', months, totals.currency),
    ...chart('Products', products, totals.currency),
    ...chart('Countries', countries, totals.currency),
    ...moneyLines(money),
    ...reachLines(reach),
    ...verdictLines(verdicts, totals.currency),
    ...forecastLines(forecast, totals.currency),
    ...lossLines(loss),
    ...workLines(report),
    '',
    ...ATTRIBUTIONS,
    ...nextLines(report),
  ];
}

function totalLines(totals: Figures['totals'], verdict: string): string[] {
  const { gross_sales, returns, net_sales, orders, units, days_with_sales, currency } = totals;
  const amounts = [gross_sales, returns, net_sales].map(grouped);
  const width = Math.max(...amounts.map(({ length }) => length));
  const [gross = '', back = '', net = ''] = amounts.map((amount) => amount.padStart(width));
  return [
    `  gross sales  ${gross} ${currency}`,
    `  returns      ${back} ${currency}`,
    `  net sales    ${bold(net)} ${currency}  ${verdict}`,
    `  ${grouped(orders)} orders with ${grouped(units)} units on ${days_with_sales} days`,
  ];
}

function chart(title: string, ranked: readonly Ranked[], currency: string): string[] {
  const bars: Bar[] = ranked.map(({ name, net_sales }) => ({
    label: name.slice(0, NAME_WIDTH),
    value: Number(net_sales),
    text: grouped(net_sales),
  }));
  return ['', bold(`${title}, ${currency}`), ...barChart(bars, BAR_WIDTH).map((line) => `  ${line}`)];
}

function workLines({ steps, work }: Report): string[] {
  const { rows_read, rows_per_second, changed, aggregates_written } = work;
  const width = Math.max(...steps.map(({ step }) => step.length));
  const news =
    changed + aggregates_written === 0
      ? 'Nothing had changed since the last run, and not a row was rewritten.'
      : `${count(changed, 'object')} new or changed, ${count(aggregates_written, 'aggregate row')} written.`;
  return [
    '',
    bold('How long it took'),
    ...steps.map(({ step, ms }) => `  ${step.padEnd(width)}  ${span(ms).padStart(8)}`),
    `  ${count(rows_read, 'row')} read, ${grouped(rows_per_second)} a second.`,
    `  ${news}`,
  ];
}

function nextLines({ embedded }: Report): string[] {
  const address = embedded ? '"$(npx nightshift status --url)"' : '"$DATABASE_URL"';
  const query = "select day, charges, net, closing_balance from bi.daily_payments where retailer = 'eire'";
  return [
    '',
    bold('Where to look next'),
    '  npx nightshift status',
    '  npx nightshift sync status --brand giftware',
    '  npx nightshift demo                 # again: reads what is new, and changes nothing',
    '  npx nightshift demo --keep          # leaves sandbox, worker and database running',
    ...(embedded ? ['  npx nightshift up                   # keeps the database running for:'] : []),
    `  psql ${address} \\`,
    `    -c "${query}"`,
  ];
}
