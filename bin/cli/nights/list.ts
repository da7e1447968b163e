/** `nights list` */
import type { Command } from 'commander';
import { listNights, makingGood, missedNights, missedSaid } from '#sql/nights/list.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

const NIGHTS_MAX = 60;
const COLUMNS = [
  'brand',
  'day',
  'state',
  'begun_at',
  'synced_at',
  'computed_at',
  'completed_at',
  'deadline_at',
];

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description(`list the latest nights (at most ${NIGHTS_MAX})`)
    .option('--brand <brand>', 'only nights of this brand')
    .action(async ({ brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      if (brand !== undefined) await findBrand(session.db, brand);
      cli.out.list(await listNights(session.db, { brand, max: NIGHTS_MAX }), COLUMNS);
      for (const missed of await missedNights(session.db, { brand, max: NIGHTS_MAX }))
        cli.out.say(`${missedSaid(missed)}. Next: ${makingGood(missed)}`);
    });
}
