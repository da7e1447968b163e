/** `events import` */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '#runtime/exit_codes.ts';
import { quote, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { named } from '#sql/tenants/names.ts';
import { listRetailers } from '#sql/tenants/retailers.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import { FileInvalid } from '../shared/csv.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption } from '../shared/options/options.ts';
import { attempt } from '../shared/options/rehearse.ts';
import { openSession } from '../shared/session.ts';
import { count } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';
import { FORMATS, type Format, formatOf, linesOf } from './lines.ts';
import { type Imported, storeLines } from './store_lines.ts';

type Options = {
  brand: string;
  retailer?: string;
  format?: Format;
  skipInvalid?: boolean;
  dryRun?: boolean;
  now?: string;
};

export function addImport(command: Command, cli: Cli): void {
  const verb = command
    .command('import')
    .description('store the events of a file, all or none; what is stored already is left as it is')
    .argument('<file>', 'a file with one event a line, or - for standard input')
    .requiredOption('--brand <brand>', 'brand whose events they are')
    .option('--retailer <retailer>', 'retailer of events that name none');
  verb.addOption(
    verb.createOption('--format <format>', 'by default csv for *.csv, else ndjson').choices([...FORMATS]),
  );
  verb
    .option('--skip-invalid', 'store the others if some cannot be taken, and end with 6')
    .option('--dry-run', 'check all and store nothing')
    .addOption(nowOption());
  verb.action((file: string, options: Options) => importFile(cli, file, options));
}

async function importFile(cli: Cli, file: string, options: Options): Promise<void> {
  const { brand, skipInvalid = false, dryRun = false } = options;
  const now = options.now === undefined ? new Date() : new Date(options.now);
  await using session = await openSession(cli);
  const { db } = session;
  const { id: brandId } = await findBrand(db, brand);
  if (options.retailer !== undefined)
    named('retailer', options.retailer, await listRetailers(db, brandId), ({ slug }) => slug);
  const { sealer } = await keyringOf(cli, session);
  const name = file === '-' ? 'standard input' : basename(file);
  using progress = startProgress(cli.io.stderr);
  const onProgress = ({ events }: Imported) => progress.show([`${name}: ${count(events, 'event')} …`]);
  const done = await attempt(db, dryRun, async (tx) => {
    const importing = {
      sealer,
      brandId,
      retailer: options.retailer,
      skipsInvalid: skipInvalid,
      now,
      onProgress,
    };
    const pages = linesOf(file, cli.io.stdin, options.format ?? formatOf(file));
    const all = await storeLines(db, tx, importing, pages);
    const { faults, conflicting: _, ...counts } = all;
    if (counts.invalid > 0 && !skipInvalid)
      throw new FileInvalid(
        name,
        faults,
        'Mend these lines, or store the others with --skip-invalid.',
        counts.invalid,
      );
    if (counts.stored === 0) return all;
    await recordAction(tx, { action: 'events.import', brandId, target: name, details: counts });
    await enqueue(tx, rollup, { brandId, retailerId: null });
    return all;
  });
  report(cli, { brand, file: name, dry_run: dryRun, ...done });
}

function report(cli: Cli, done: Imported & { brand: string; file: string; dry_run: boolean }): void {
  const { faults, conflicting, events, stored, known, conflicts, invalid, dry_run } = done;
  for (const fault of faults) cli.out.say(fault);
  if (invalid > faults.length) cli.out.say(`… ${count(invalid, 'line')} in all cannot be taken.`);
  for (const one of conflicting)
    cli.out.say(`${quote(one, 2 * VALUE_CHARS_MAX)}: is stored with other content, which stays`);
  cli.out.record({ ...done }, () => [
    events === 0
      ? `${done.file} has no events: nothing changes.`
      : `${count(stored, 'event')} of ${events} ${dry_run ? 'would be stored' : 'stored'}, ${known} known already` +
        `${conflicts > 0 ? ` (${conflicts} with other content)` : ''}${invalid > 0 ? `, ${invalid} left out` : ''}.`,
  ]);
  if (invalid > 0) cli.exitCode = exitCodes.partial;
}
