/** `periods close` */
import type { Command } from 'commander';
import { closePeriod, freezePeriod } from '#sql/periods/close.ts';
import { monthOf } from '#sql/periods/refusals.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { sayLost } from '../shared/lost.ts';
import type { Cli } from '../shared/noun.ts';
import { attempt } from '../shared/options/rehearse.ts';
import { openSession } from '../shared/session.ts';
import { month, title } from '../ui/arguments.ts';
import { count } from '../ui/format.ts';
import { instant } from '../ui/output.ts';

type Options = { brand: string; note?: string; anyway?: string; dryRun?: boolean };

export function addClose(command: Command, cli: Cli): void {
  command
    .command('close')
    .description('close a month: its figures are kept as they are now, and later changes become adjustments')
    .argument('<month>', 'such as 2026-03: over in the time zone of the brand, and final', month)
    .requiredOption('--brand <brand>', 'brand whose month it is')
    .option('--note <text>', 'kept with the closing', title)
    .option('--anyway <reason>', 'close it although not all of its days are final, for this reason', title)
    .option('--dry-run', 'say what would be kept, and change nothing')
    .action(async (period: string, { brand, note, anyway, dryRun }: Options) => {
      await using session = await openSession(cli);
      const { id: brandId } = await findBrand(session.db, brand);
      const toClose = { brandId, period, note, anyway };
      const { closing, isNew, lost } = dryRun
        ? { ...(await attempt(session.db, true, (tx) => freezePeriod(tx, toClose))), lost: [] }
        : await closePeriod(session.db, toClose);
      const { closed_at: at, closed_by: by, rows } = closing;
      cli.out.record({ ...closing, period: monthOf(period), is_new: isNew, lost, dry_run: dryRun }, () => [
        isNew
          ? `${dryRun ? 'Would close' : 'Closed'} ${monthOf(period)} of ${brand}: ${count(rows, 'row')} of figures ${dryRun ? 'would stand' : 'stand'} still from now on.`
          : `${monthOf(period)} of ${brand} is closed already, since ${instant(at)} by ${by}. Nothing has changed.`,
      ]);
      for (const { source, day, days, cause } of (isNew && closing.not_final) || [])
        cli.out.say(`Not final: ${source}, ${count(days, 'day')} from ${day}${cause ? `: ${cause}` : ''}.`);
      sayLost(cli, lost);
    });
}
