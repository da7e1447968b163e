/** `fx show`: the rate that a figure of a day is converted with. */
import type { Command } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { exchangeRate } from '#sql/fx/feeds.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { currency, day } from '../ui/arguments.ts';

type Options = { currency: string; to: string; day: string };

const causes: Record<string, string> = {
  no_rate: 'one of the two had not been published by then',
  stale_rate: 'the last day on which both were published is more than 10 days older',
};

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show the exchange rate between two currencies for a day, and its day of publication')
    .requiredOption('--currency <code>', 'currency to convert from, such as USD', currency)
    .requiredOption('--to <code>', 'currency to convert to, such as GBP', currency)
    .requiredOption('--day <day>', 'day of the sale, in the brand’s time zone', day)
    .action((options: Options) => show(cli, options));
}

async function show(cli: Cli, { currency: from, to, day: wanted }: Options): Promise<void> {
  await using session = await openSession(cli);
  const { fx_rate, fx_day, fx_cause } = await exchangeRate(session.db, from, to, wanted);
  const record = { currency: from, to, day: wanted, fx_rate, fx_day, fx_cause, source: 'ECB statistics' };
  cli.out.record(record, () => [
    fx_rate === null
      ? `No rate from ${from} to ${to} on ${wanted}: ${fx_cause} (${causes[fx_cause ?? ''] ?? 'unknown cause'}).`
      : `1 ${from} = ${fx_rate} ${to} on ${wanted}${from === to ? '' : `, published on ${fx_day}`}. Source: ECB statistics`,
  ]);
  if (fx_rate !== null) return;
  cli.out.say('Next: npx nightshift fx list shows which currencies there are, and until when');
  cli.exitCode = exitCodes.notFound;
}
