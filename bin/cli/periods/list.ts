/** `periods list` */
import type { Command } from 'commander';
import { lastClosed, listClosings } from '#sql/periods/closings.ts';
import { monthOf } from '#sql/periods/refusals.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

const CLOSINGS_MAX = 500;
const COLUMNS = [
  ...[
    'period',
    'state',
    'closed_at',
    'closed_by',
    'rows',
    'adjustments',
    'reopened_at',
    'reason',
    'reopened_reason',
    'note',
  ],
];

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description(`list the months that were closed, latest first (at most ${CLOSINGS_MAX})`)
    .requiredOption('--brand <brand>', 'brand whose months they are')
    .action(async ({ brand }: { brand: string }) => {
      await using session = await openSession(cli);
      const { id: brandId } = await findBrand(session.db, brand);
      const closings = await listClosings(session.db, { brandId, max: CLOSINGS_MAX });
      cli.out.list(
        closings.map((one) => ({ ...one, period: monthOf(one.period) })),
        COLUMNS,
      );
      const last = await lastClosed(session.db, brandId);
      const next = last === undefined ? '<month>' : monthOf(last.next);
      cli.out.say(
        `${last ? '' : `No month of ${brand} is closed. `}Next: npx nightshift periods close ${next} --brand ${brand}`,
      );
    });
}
