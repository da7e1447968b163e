import { stopSignal } from '#runtime/shutdown.ts';
import type { Cli, Noun } from '../shared/noun.ts';

type Options = { keep?: boolean };

export const noun: Noun = (command, cli) => {
  command
    .description(
      'turn a year of real orders and payments into exact daily figures, through the protocols of the four providers and the ECB',
    )
    .option('--keep', 'keep database, sandbox and worker running until Ctrl-C')
    .action(async (options: Options) => {
      // Printed before anything is loaded, so that the person knows what the wait is for.
      cli.out.say(
        'Nightshift demo: a year of real orders (541,909 lines), their money and 7,050 real posts, from\n' +
          'the accounts of four providers and the ECB to exact daily figures. Subscriptions and letters\n' +
          'are made up.',
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
