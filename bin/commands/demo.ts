import { stopSignal } from '#runtime/shutdown.ts';
import type { Cli, Noun } from '../cli.ts';

type Options = { keep?: boolean };

export const noun: Noun = (command, cli) => {
  command
    .description(
      'a year of real orders through Shopify’s protocol into exact daily sales, on a database of its own',
    )
    .option('--keep', 'leave database, shops and worker running until Ctrl-C')
    .action(async (options: Options) => {
      // Said before anything is loaded: who waits should know for what.
      cli.out.say(
        'Nightshift demo: a year of real orders (541,909 lines) from five shops to exact daily sales.',
      );
      const { runDemo } = await import('../demo/run.ts');
      await runDemo(cli, { keep: () => keep(cli, options) });
    });
};

async function keep(cli: Cli, { keep }: Options): Promise<void> {
  if (!keep) return;
  cli.out.say('Everything stays up until Ctrl-C. Another terminal: npx nightshift status');
  await stopSignal();
}
