/** `periods show` */
import type { Command } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { adjustedSums, type Sum } from '#sql/periods/book.ts';
import { type Adjustment, type Closing, findClosing, listAdjustments } from '#sql/periods/closings.ts';
import { lostFigures } from '#sql/periods/lost.ts';
import { monthOf, PeriodNotClosed } from '#sql/periods/refusals.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { sayLost } from '../shared/lost.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { month } from '../ui/arguments.ts';
import { count } from '../ui/format.ts';
import { instant } from '../ui/output.ts';

/** Of each kind; JSON has no more either. */
const ROWS_MAX = 1_000;

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description(
      'show a closed month: its adjustments by the month that they are booked in, and that they add up',
    )
    .argument('<month>', 'such as 2026-03', month)
    .requiredOption('--brand <brand>', 'brand whose month it is')
    .action(async (period: string, { brand }: { brand: string }) => {
      await using session = await openSession(cli);
      const { id: brandId } = await findBrand(session.db, brand);
      const { closing, sums, lost, adjustments } = await session.db.transaction(async (tx) => {
        await tx.query('set transaction isolation level repeatable read, read only'); // one state for all of them
        const closing = await findClosing(tx, brandId, period);
        if (closing === undefined) throw new PeriodNotClosed({ brand, period });
        const sums = await adjustedSums(tx, { brandId, closingId: closing.id });
        const lost = await lostFigures(tx, { brandId, closingId: closing.id, max: ROWS_MAX });
        return {
          closing,
          sums,
          lost,
          adjustments: await listAdjustments(tx, { brandId, period, max: ROWS_MAX }),
        };
      });
      const wrong = sums.filter((sum) => !sum.adds_up);
      const shown = sums.slice(0, ROWS_MAX);
      cli.out.record(
        {
          ...closing,
          period: monthOf(period),
          adds_up: wrong.length === 0,
          lost,
          columns: shown,
          adjustments,
        },
        () => linesOf(closing, shown, adjustments),
      );
      sayLost(cli, lost);
      if (wrong.length + lost.length > 0) cli.exitCode = exitCodes.failed;
      const isLost = ({ figure, retailer }: Sum) =>
        lost.some((one) => one.figure === figure && one.retailer === retailer);
      const unbooked = wrong.filter((sum) => !isLost(sum));
      if (unbooked.length === 0) return;
      const [{ figure, column_name: column } = { figure: '', column_name: '' }] = unbooked;
      cli.out.say(
        `${count(unbooked.length, 'column')} do not add up, such as ${column} of ${figure}: rows were changed past the rollups. The next closing books the difference.`,
      );
    });
}

/** Orders of a currency are no money, so it does not stand behind the number. */
function of(currency: string | null): string {
  return currency === null ? '' : ` (${currency})`;
}

function linesOf(closing: Closing, sums: readonly Sum[], adjustments: readonly Adjustment[]): string[] {
  const { brand, period, closed_at: at, closed_by: by, note, reason, rows } = closing;
  return [
    `${brand}  ${monthOf(period)}  closed ${instant(at)} by ${by}, ${count(rows, 'row')} of figures`,
    ...(note === null ? [] : [`  note: ${note}`]),
    ...(reason === null ? [] : [`  closed although not all was final: ${reason}`]),
    ...(sums.length === 0 ? ['  No figure has changed since.'] : ['', '  closed, adjustments, now:']),
    ...sums.map(
      ({ figure, retailer, column_name: column, currency, closed, adjusted, present, adds_up: addsUp }) =>
        `    ${figure} ${column}${of(currency)} of ${retailer ?? 'the brand'}: ${closed} + ${adjusted} = ${present}${addsUp ? '' : '  does not add up'}`,
    ),
    ...(adjustments.length === 0 ? [] : ['', '  adjustments by month of booking:']),
    ...adjustments.map(
      ({ booked_in: month, figure, column_name: column, retailer, difference, currency, cause }) =>
        `    ${monthOf(month)}  ${figure} ${column}${of(currency)} of ${retailer ?? 'the brand'}: ${difference} (${cause})`,
    ),
  ];
}
