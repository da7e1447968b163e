import { exitCodes } from '#runtime/exit_codes.ts';
import type { Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { currency, day, wholeNumber } from '../ui/arguments.ts';
import { ask, type Options } from './ask.ts';
import { linesOf } from './lines.ts';
import { explained } from './read.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 10_000;

export const noun: Noun = (command, cli) => {
  command
    .description(
      'list what a figure is made of, with the versions and rates behind it, and say whether it adds up',
    )
    .argument('<figure>', 'a rollup such as daily_sales, or campaign_performance')
    .requiredOption('--brand <brand>', 'brand of the figure')
    .option('--retailer <retailer>', 'retailer of the figure')
    .option('--day <day>', 'day in the brand’s time zone, or any day of its period', day)
    .option('--currency <currency>', 'figures of this currency', currency)
    .option('--campaign <campaign>', 'figures of this campaign')
    .option('--where <column=value>', 'figures with this value in their key; may be repeated', collected)
    .option('--column <column>', 'only what adds to this column')
    .option(
      '--limit <n>',
      'list at most so many parts of a figure, largest first',
      wholeNumber(1, LIMIT_MAX),
      LIMIT_DEFAULT,
    )
    .action(async (name: string, options: Options) => {
      await using session = await openSession(cli);
      const asked = await ask(session.db, name, options);
      for (const figure of await explained(session.db, asked)) {
        cli.out.record(figure, () => linesOf(figure, asked));
        if (!figure.adds_up) cli.exitCode = exitCodes.failed;
      }
    });
};

function collected(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
