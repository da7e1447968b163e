import { stopSignal } from '#runtime/shutdown.ts';
import type { Cli, Noun } from '../shared/noun.ts';

type Options = { keep?: boolean };

export const noun: Noun = (command, cli) => {
  command
    .description(
      'turn a year of real orders and payments into exact daily figures, through the protocols of Shopify, Stripe and the ECB',
    )
    .option('--keep', 'keep database, sandbox and worker running until Ctrl-C')
    .action(async (options: Options) => {
      // Printed before anything is loaded, so that the person knows what the wait is for.
      cli.out.say(
        'Nightshift demo: a year of real orders (541,909 lines) and their money, from five shops, six\n' +
          'Stripe accounts and the ECB to exact daily figures. The subscriptions of one are made up.',
      );
      const { runDemo } = await import('./run.ts');
      await runDemo(cli, { keep: () => keep(cli, options) });
    });
};

async function keep(cli: Cli, { keep }: Options): Promise<void> {
  if (!keep) return;
  cli.out.say('Everything stays up until Ctrl-C. Another terminal: npx nightshift status');
  await stopSignal();
}
