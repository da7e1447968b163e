/** `fx import`: for a machine that cannot reach the feeds, and for custom rates. */
import type { Command } from 'commander';
import { frankfurt } from '#connectors/ecb/calendar.ts';
import { BYTES_MAX, readRates } from '#connectors/ecb/read_rates.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { keepRates } from '#tasks/fx/fx_rates.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { attempt } from '../shared/options/rehearse.ts';
import { workOfRates } from '../shared/rates_work.ts';
import { readFileOf } from '../shared/read_file.ts';
import { openSession } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { count } from '../ui/format.ts';
import { daysToMove } from './moved.ts';

const NAMED_MAX = 5;

type Options = WaitOptions & { dryRun?: boolean; now?: string };

export function addImport(command: Command, cli: Cli): void {
  const verb = command
    .command('import')
    .description('store the rates of an ECB file: XML or CSV, plain, zipped or gzipped')
    .argument('<file>', 'the file, or - for standard input')
    .option('--dry-run', 'show what would change and how many days would be recomputed; change nothing');
  waitOptions(verb, 'wait until the figures that the rates change are recomputed')
    .addOption(nowOption('import as of this instant'))
    .action((file: string, options: Options) => run(cli, file, options));
}

async function run(cli: Cli, path: string, options: Options): Promise<void> {
  const { dryRun = false, wait } = options;
  const now = options.now ? new Date(options.now) : new Date();
  const kind = 'a file of the ECB (XML, CSV, or either as zip or gzip)';
  const { name, bytes } = await readFileOf(path, cli.io.stdin, { kind, bytesMax: BYTES_MAX });
  const published = await readRates(bytes, { source: name, today: frankfurt(now).day });
  await using session = await openSession(cli);
  const { db } = session;
  const { tried, ...kept } = await attempt(db, dryRun, async (tx) => {
    const stored = await keepRates(tx, published, {
      ...{ source: 'ecb, imported', now, ...(options.now && { rollupNow: options.now }) },
      note: (_, { added, changed, withdrawn }) =>
        recordAction(tx, { action: 'fx.import', target: name, details: { added, changed, withdrawn } }),
    });
    return { ...stored, tried: dryRun ? await daysToMove((fn) => fn(tx), stored.reach) : undefined };
  });
  const { reach, doubtful, ...stored } = kept;
  // Counted after the transaction of the rates, which must not last as long as a look at each brand.
  const moved = tried ?? (await daysToMove(db.transaction, reach));
  const counts = { ...stored, days: moved.days };
  const { layout, days } = published;
  const [from, to] = [days[0]?.day, days.at(-1)?.day];
  const result = { file: name, layout, from, to, dry_run: dryRun, ...counts, retailers: moved.retailers };
  cli.out.record({ ...result, doubtful }, () => [
    `${layout} of ${count(days.length, 'day')}, ${from} to ${to}.`,
    `${dryRun ? 'Would be' : 'Rates'} added: ${counts.added}, changed: ${counts.changed}, ` +
      `withdrawn: ${counts.withdrawn}; unchanged: ${counts.unchanged}.`,
    `${count(counts.days, 'day')} of ${count(moved.retailers, 'retailer')} ${dryRun ? 'would be' : 'are to be'} recomputed.`,
  ]);
  sayDoubts(cli, doubtful);
  if (dryRun || reach === null) return;
  const figures = () => workOfRates(db, [rollup.name]);
  const jobs = await figures();
  if (!wait) await sayQueued(cli, session, jobs);
  else await finish(cli, session, jobs, { timeout: options.timeout, thenAlso: figures });
}

function sayDoubts(cli: Cli, doubtful: readonly string[]): void {
  if (doubtful.length === 0) return;
  const some = doubtful.slice(0, NAMED_MAX).join('; ');
  const more = doubtful.length > NAMED_MAX ? '; …' : '';
  cli.out.say(`Note: ${count(doubtful.length, 'rate')} to look at, used all the same: ${some}${more}`);
}
