import type { Command } from 'commander';
import { listRestatements } from '#sql/restatements/list.ts';
import { readThreshold, setThreshold } from '#sql/restatements/threshold.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { day, exactInstant, percentage } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';

const ROWS_MAX = 500;
const COLUMNS = [
  'retailer',
  'figure',
  'day',
  'key',
  'column_name',
  'old_value',
  'new_value',
  'difference',
  'cause',
  'restated_at',
];

export const noun: Noun = (command, cli) => {
  command.description('restatements: figures of days that were final and have changed since, and why');
  addList(command, cli);
  addAlert(command, cli);
};

type ListOptions = { brand: string; since?: string; day?: string };

function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description(`list changes of final figures, latest first (at most ${ROWS_MAX})`)
    .requiredOption('--brand <brand>', 'brand whose figures they are')
    .option('--since <instant>', 'computed from this instant on', exactInstant)
    .option('--day <day>', 'only of this day, or of a period with it', day)
    .action(async ({ brand, since, day: of }: ListOptions) => {
      await using session = await openSession(cli);
      const { id: brandId } = await findBrand(session.db, brand);
      const rows = await listRestatements(session.db, { brandId, since, day: of, max: ROWS_MAX });
      cli.out.list(cli.out.json ? rows : rows.map((row) => ({ ...row, key: shown(row.key) })), COLUMNS);
      const [last] = rows;
      if (last === undefined)
        cli.out.say(`No figure of a final day of ${brand} has changed${since || of ? ' there' : ''}.`);
      else if (rows.length === ROWS_MAX) cli.out.say('There may be more: narrow it with --since or --day.');
      else if (last.job_id !== null)
        cli.out.say(`What computed the latest: npx nightshift jobs why ${last.job_id}`);
    });
}

function shown(key: Record<string, string> | null): string {
  return key === null ? 'many rows' : Object.values(key).join(' ');
}

type AlertOptions = { brand: string; none?: boolean };

function addAlert(command: Command, cli: Cli): void {
  command
    .command('alert')
    .description(
      'set, or show, by how many percent net sales of a final day may change within 24 hours before it is alerted',
    )
    .argument('[percent]', 'such as 5; of what the day and currency came to before', percentage)
    .requiredOption('--brand <brand>', 'brand whose figures they are')
    .option('--none', 'nobody is told any more')
    .action(async (given: string | undefined, { brand, none }: AlertOptions) => {
      if (none && given !== undefined)
        throw new UsageError('A percentage, or none?', 'leave the number or --none out');
      if (given !== undefined && /^[0.]+$/.test(given))
        throw new UsageError('It must be more than 0 percent.', 'give a number such as 0.1, or --none');
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      if (none || given !== undefined)
        await session.db.transaction((tx) => setThreshold(tx, id, none ? null : (given ?? null)));
      const percent = await readThreshold(session.db, id);
      cli.out.record({ brand, percent }, () => [
        percent === null
          ? `Nobody is told when final figures of ${brand} change.`
          : `An alert is raised if net sales of a final day of ${brand} change by ${percent} percent or more within 24 hours.`,
      ]);
    });
}
