/** `snapshots diff` */
import type { Command } from 'commander';
import { compareLive, type TableDifference } from '#tasks/snapshots/restore/compare.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import type { Row } from '../ui/output.ts';
import { startProgress } from '../ui/progress.ts';
import { ofBrand } from './which.ts';

type Options = { latest?: boolean; brand: string };

const DIFFERENCE_COLUMNS = ['table', 'only_snapshot', 'only_live', 'changed', 'money'];

export function addDiff(command: Command, cli: Cli): void {
  command
    .command('diff')
    .description('compare a snapshot of a brand with what is live: the tables that differ')
    .argument('[id]', 'id of the snapshot, or the beginning of it')
    .option('--latest', 'the latest snapshot of the brand')
    .requiredOption('--brand <brand>', 'whose snapshot')
    .action((id: string | undefined, options: Options) => diff(cli, id, options));
}

async function diff(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const snapshot = await ofBrand(session, id, options);
  const { brandId, id: found, brand } = snapshot;
  const content = await readWhole({ store, sealer, snapshot });
  using progress = startProgress(cli.io.stderr);
  const differences = await compareLive({
    ...{ db: session.db, store, sealer, brandId, content, limitSeconds: minutes * 60 },
    progress: ({ parts, of }) => progress.show([`${brand} ${found}: ${parts} of ${of} tables`]),
  });
  progress.show([]);
  sayDifferences(cli, differences);
  if (differences.length === 0) cli.out.say(`Nothing differs from ${found}.`);
}

/** JSON has the sums; a person reads them. */
export function sayDifferences({ out }: Cli, differences: readonly TableDifference[]): void {
  out.list(
    differences.map((one) => ({ ...differenceRow(one), ...(!out.json && { money: moneySaid(one) }) })),
    DIFFERENCE_COLUMNS,
  );
}

export function differenceRow({ compared, onlySnapshot, onlyLive, changed, money }: TableDifference): Row {
  const table = compared.table.name;
  return { table, only_snapshot: onlySnapshot, only_live: onlyLive, changed, money };
}

function moneySaid({ money }: TableDifference): string {
  return money
    .map(({ column, currency, snapshot, live }) => `${column} ${snapshot} instead of ${live} ${currency}`)
    .join('; ');
}
