/** `periods reopen` */
import type { Command } from 'commander';
import { reopenPeriod } from '#sql/periods/close.ts';
import { monthOf } from '#sql/periods/refusals.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { month, title } from '../ui/arguments.ts';

export function addReopen(command: Command, cli: Cli): void {
  command
    .command('reopen')
    .description('reopen the last closed month: what was frozen and booked of it counts no more')
    .argument('<month>', 'such as 2026-03', month)
    .requiredOption('--brand <brand>', 'brand whose month it is')
    .requiredOption('--reason <text>', 'why; it is kept with the closing and in the audit log', title)
    .action(async (period: string, { brand, reason }: { brand: string; reason: string }) => {
      await using session = await openSession(cli);
      const { id: brandId } = await findBrand(session.db, brand);
      await session.db.transaction((tx) => reopenPeriod(tx, { brandId, period, reason }));
      cli.out.record({ brand, period: monthOf(period), state: 'reopened', reason }, () => [
        `Reopened ${monthOf(period)} of ${brand}.`,
      ]);
      cli.out.say(`Once it is right: npx nightshift periods close ${monthOf(period)} --brand ${brand}`);
    });
}
