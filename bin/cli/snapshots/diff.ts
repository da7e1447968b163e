/** `snapshots diff` */
import type { Command } from 'commander';
import { builtIn } from '#connectors/providers.ts';
import type { Snapshot } from '#sql/snapshots/catalogue.ts';
import {
  compareLive,
  compareTwo,
  type Reported,
  type TableDifference,
  type TwoDifference,
} from '#tasks/snapshots/restore/compare.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import type { Row } from '../ui/output.ts';
import { startProgress } from '../ui/progress.ts';
import { ofBrand } from './which.ts';

type Options = { latest?: boolean; brand: string };

const DIFFERENCE_COLUMNS = ['table', 'only_snapshot', 'only_live', 'changed', 'money'];
const TWO_COLUMNS = ['table', 'only_first', 'only_second', 'changed', 'money'];

export function addDiff(command: Command, cli: Cli): void {
  command
    .command('diff')
    .description(
      'compare a snapshot of a brand with what is live, or with another one: the tables that differ',
    )
    .argument('[id]', 'id of the snapshot, or the beginning of it')
    .argument('[other]', 'id of the one to compare it with (default: what is live)')
    .option('--latest', 'the latest snapshot of the brand, of everything if there is one')
    .requiredOption('--brand <brand>', 'whose snapshot')
    .action((id: string | undefined, other: string | undefined, options: Options) =>
      diff(cli, { id, other }, options),
    );
}

async function diff(
  cli: Cli,
  { id, other }: { id: string | undefined; other: string | undefined },
  options: Options,
): Promise<void> {
  await using session = await openSession(cli);
  const one = await ofBrand(session, id, options);
  if (other === undefined) return await diffLive(cli, session, one);
  await diffTwo(cli, session, [one, await ofBrand(session, other, { brand: options.brand })]);
}

async function diffLive(cli: Cli, session: Session, snapshot: Snapshot): Promise<void> {
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const { brandId, id, brand } = snapshot;
  const content = await readWhole({ db: session.db, store, sealer, snapshot });
  using progress = startProgress(cli.io.stderr);
  const differences = await compareLive({
    ...{ db: session.db, store, sealer, brandId, content, limitSeconds: minutes * 60 },
    providers: (cli.io.providers ?? builtIn).providers,
    progress: ({ parts, of }) => progress.show([`${brand} ${id}: ${parts} of ${of} tables`]),
  });
  progress.show([]);
  sayDifferences(cli, differences);
  if (differences.length === 0) cli.out.say(`Nothing differs from ${id}.`);
}

async function diffTwo(cli: Cli, session: Session, [first, second]: [Snapshot, Snapshot]): Promise<void> {
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const { brandId, brand } = first;
  const one = await readWhole({ db: session.db, store, sealer, snapshot: first });
  const other = await readWhole({ db: session.db, store, sealer, snapshot: second });
  using progress = startProgress(cli.io.stderr);
  const differences = await compareTwo({
    ...{ db: session.db, store, sealer, brandId, one, other, limitSeconds: minutes * 60 },
    progress: ({ parts, of }) => progress.show([`${brand}: ${parts} of ${of} tables that differ`]),
  });
  progress.show([]);
  cli.out.list(
    differences.map((found) => twoRow(found, cli.out.json)),
    TWO_COLUMNS,
  );
  if (differences.length === 0) cli.out.say(`Nothing differs between ${first.id} and ${second.id}.`);
  if (first.scope !== second.scope) cli.out.say('One of them has figures alone: only these were compared.');
}

/** JSON has the sums; a person reads them. */
export function sayDifferences({ out }: Cli, differences: readonly Reported<TableDifference>[]): void {
  out.list(
    differences.map((one) => ({ ...differenceRow(one), ...(!out.json && { money: moneySaid(one) }) })),
    DIFFERENCE_COLUMNS,
  );
}

export function differenceRow({
  compared,
  onlyOne,
  onlyOther,
  changed,
  money,
}: Reported<TableDifference>): Row {
  return {
    ...{ table: compared.table.name, only_snapshot: onlyOne, only_live: onlyOther, changed },
    money: money.map(({ column, currency, one, other }) => ({
      column,
      currency,
      snapshot: one,
      live: other,
    })),
  };
}

function moneySaid({ money }: Reported<TableDifference>): string {
  return money
    .map(({ column, currency, one, other }) => `${column} ${one} instead of ${other} ${currency}`)
    .join('; ');
}

/** What is equal was not read, so nobody knows the sums of all: only what the second has more, or less. */
function twoRow({ table, onlyOne, onlyOther, changed, money }: TwoDifference, isJson: boolean): Row {
  const more = money.map(({ column, currency, more: amount }) => ({ column, currency, more: amount }));
  return {
    ...{ table, only_first: onlyOne, only_second: onlyOther, changed },
    money: isJson ? more : more.map(moreSaid).join('; '),
  };
}

function moreSaid({ column, currency, more }: { column: string; currency: string; more: string }): string {
  return `${column} ${more.startsWith('-') ? more : `+${more}`} ${currency}`;
}
