/** `events keep` */
import type { Command } from 'commander';
import { setKeptDays } from '#sql/events/retention.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { count } from '../ui/format.ts';
import { ofBrand } from './keys.ts';

const DAYS_MAX = 3_650;

export function addKeep(command: Command, cli: Cli): void {
  ofBrand(
    command
      .command('keep')
      .description(
        'set for how many days events are kept (400 at first); their figures stay, older events are refused',
      ),
  )
    .argument('<days>', 'whole days', wholeNumber(1, DAYS_MAX))
    .action(async (days: number, { brand }: { brand: string }) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      await session.db.transaction((tx) => setKeptDays(tx, id, days));
      cli.out.record({ brand, days }, () => [`Events of ${brand} are kept for ${count(days, 'day')}.`]);
    });
}
