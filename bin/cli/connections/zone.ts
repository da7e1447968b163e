/** `connections zone` */
import { type Command, Option } from 'commander';
import { setAccountZone } from '#sql/tenants/account_facts.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { openSession } from '../shared/session.ts';

const BRAND = 'brand';

export function accountZoneOption(): Option {
  return new Option(
    '--account-zone <zone>',
    'IANA zone in which the account counts its days, if it gives figures by day and is not in the zone of the brand',
  );
}

export function addZone(command: Command, cli: Cli): void {
  whichConnection(command.command('zone'))
    .description('say in which zone the account counts its days, as its settings at the provider show it')
    .argument('<zone>', `an IANA zone, or ${BRAND} for that of the brand`)
    .action(async (name: string, typed: string, { brand }: { brand?: string }) => {
      const zone = typed === BRAND ? null : typed;
      await using session = await openSession(cli);
      const { connection, brand: owner } = await findTheConnection(session.db, name, brand);
      const which = { brandId: connection.brandId, connectionId: connection.id };
      await session.db.transaction((tx) => setAccountZone(tx, which, zone));
      cli.out.record({ connection: name, account_zone: zone }, () => [
        `Figures of ${name} that are read from now on are days of ${zone ?? owner.timeZone}.`,
      ]);
      cli.out.say(`Next: npx nightshift sync run --brand ${owner.slug} --connection ${name} --full`);
    });
}
