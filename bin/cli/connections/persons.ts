/** `connections persons` */
import type { Command } from 'commander';
import { setReadsPersons } from '#sql/tenants/account_facts.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';

export function addPersons(command: Command, cli: Cli): void {
  const verb = whichConnection(command.command('persons'));
  verb
    .description(
      'let a connection ask for e-mail addresses, so that a click in a letter can be joined with an order; only digests are stored',
    )
    .addArgument(
      verb
        .createArgument('<on or off>', 'a key without approval for protected data is refused')
        .choices(['on', 'off']),
    )
    .action(async (name: string, state: string, { brand }: { brand?: string }) => {
      const isOn = state === 'on';
      await using session = await openSession(cli);
      const { connection, brand: owner } = await findTheConnection(session.db, name, brand);
      const which = { brandId: connection.brandId, connectionId: connection.id };
      await session.db.transaction((tx) => setReadsPersons(tx, which, isOn));
      cli.out.record({ connection: name, reads_persons: isOn }, () => [
        `${name} ${isOn ? 'asks' : 'no longer asks'} for e-mail addresses, from the next request on.`,
      ]);
      if (isOn)
        cli.out.say(
          `Next, for what is stored already: npx nightshift sync run --brand ${owner.slug} --connection ${name} --full`,
        );
    });
}
