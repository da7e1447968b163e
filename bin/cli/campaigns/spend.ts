/** `campaigns spend`: one day, or a CSV file of many. */
import type { Command } from 'commander';
import { z } from 'zod';
import { excessPlaces, isCurrency } from '#runtime/currencies.ts';
import { quote, VALUE_CHARS_MAX } from '#runtime/scrub.ts';
import { listCampaigns } from '#sql/campaigns/campaigns.ts';
import { type Spend, storeSpend } from '#sql/campaigns/spend.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { named } from '#sql/tenants/names.ts';
import { FileInvalid, LINES_HINT, type Line, linesStored, readCsv } from '../shared/csv.ts';
import type { Cli } from '../shared/noun.ts';
import { readFileOf } from '../shared/read_file.ts';
import { openSession, type Session } from '../shared/session.ts';
import { amount, currency, day } from '../ui/arguments.ts';
import { change, ofBrand } from './change.ts';

const BYTES_MAX = 50_000_000;

const source = z
  .string()
  .regex(/^[^\p{Cc}]{1,100}$/u, 'is not 1 to 100 characters without control characters');

const shape = z
  .strictObject({
    campaign: z.string('is needed'),
    day: z.iso
      .date('is not a day like 2026-03-29')
      .refine((text) => !text.startsWith('0000'), 'is not a day'),
    amount: z.string('is needed').regex(/^\d{1,15}(\.\d{1,6})?$/, 'is not a decimal amount like 1250.50'),
    currency: z.string('is needed').refine(isCurrency, 'is not an ISO 4217 code like GBP'),
    source: source.default('manual'),
  })
  .superRefine(({ amount, currency }, { addIssue }) => {
    const message = excessPlaces(amount, currency);
    if (message !== undefined) addIssue({ code: 'custom', path: ['amount'], message });
  });

type Options = {
  brand: string;
  day?: string;
  amount?: string;
  currency?: string;
  source: string;
  file?: string;
  dryRun?: boolean;
};

export function addSpend(command: Command, cli: Cli): void {
  const verb = ofBrand(
    command
      .command('spend')
      .description(
        'store what a campaign cost on a day, or a CSV file: campaign,day,amount,currency[,source]',
      ),
  )
    .argument('[campaign]', 'the campaign, without --file')
    .option('--day <day>', 'the day', day)
    .option('--amount <amount>', 'what it cost; replaces what the source said of that day', amount)
    .option('--currency <currency>', 'its currency', currency)
    .option(
      '--source <source>',
      'who says so: a day has one amount for each source, and their sum counts',
      'manual',
    )
    .option('--file <file>', 'a CSV file with a header, or - for standard input: all of it, or nothing')
    .option('--dry-run', 'check all and store nothing');
  verb.action(async (name: string | undefined, options: Options) => {
    const isFile = options.file !== undefined;
    if (isFile === (name !== undefined)) verb.error('error: name a campaign, or give a --file');
    const single = [options.day, options.amount, options.currency];
    if (!isFile && single.includes(undefined)) verb.error('error: --day, --amount and --currency are needed');
    const excess = excessPlaces(options.amount ?? '', options.currency ?? '');
    if (excess !== undefined) verb.error(`error: --amount ${excess}`);
    const { success } = source.safeParse(options.source);
    if (!success) verb.error('error: --source is 1 to 100 characters without control characters');
    await store(cli, name, options);
  });
}

async function store(cli: Cli, name: string | undefined, options: Options): Promise<void> {
  const { brand, file, dryRun } = options;
  const kind = 'a CSV file';
  const read =
    file === undefined ? undefined : await readFileOf(file, cli.io.stdin, { kind, bytesMax: BYTES_MAX });
  const lines = read && readCsv(read, shape);
  await using session = await openSession(cli);
  const { id: brandId } = await findBrand(session.db, brand);
  const spend =
    lines && read
      ? await ofFile(session, brandId, read.name, lines)
      : [await ofOptions(session, brandId, String(name), options)];
  const target = read?.name ?? String(name);
  const changed = await change(session, brandId, (tx) => storeSpend(tx, { brandId, target }, spend), {
    dryRun,
  });
  cli.out.record({ brand, rows: spend.length, changed, dry_run: dryRun }, () => [
    read === undefined
      ? daySaid(options, target, changed)
      : linesStored(read.name, { lines: spend.length, changed, dryRun }),
  ]);
}

function daySaid(
  { amount, currency, day, source, dryRun }: Options,
  campaign: string,
  changed: number,
): string {
  const what = `Spend of ${campaign} on ${day}, said by ${source}`;
  if (changed === 0) return `${what}, is ${amount} ${currency} already.`;
  return `${what}${dryRun ? ', would be' : ':'} ${amount} ${currency}.`;
}

async function ofOptions(session: Session, brandId: string, name: string, options: Options): Promise<Spend> {
  const campaigns = await listCampaigns(session.db, brandId);
  const { id: campaignId } = named('campaign', name, campaigns, ({ slug }) => slug);
  const { day = '', amount = '', currency = '', source } = options;
  return { campaignId, day, amount, currency, source };
}

async function ofFile(
  session: Session,
  brandId: string,
  file: string,
  lines: readonly Line<z.output<typeof shape>>[],
): Promise<Spend[]> {
  const campaigns = new Map((await listCampaigns(session.db, brandId)).map(({ slug, id }) => [slug, id]));
  const seen = new Map<string, number>();
  const faults = lines.flatMap(({ line, campaign, day, currency, source }) => {
    const key = JSON.stringify([campaign, day, currency, source]);
    const before = seen.get(key);
    seen.set(key, line);
    return [
      ...(campaigns.has(campaign)
        ? []
        : [`line ${line}, campaign ${quote(campaign, VALUE_CHARS_MAX)}: there is no such campaign`]),
      ...(before === undefined
        ? []
        : [`line ${line}: says the same day, currency and source as line ${before}`]),
    ];
  });
  if (faults.length > 0) throw new FileInvalid(file, faults, LINES_HINT);
  return lines.map(({ campaign, line: _, ...row }) => ({
    ...row,
    campaignId: campaigns.get(campaign) ?? '',
  }));
}
