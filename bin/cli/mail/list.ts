/** `mail list` and `mail show` */
import { type Command, Option } from 'commander';
import { contentOf, type LetterState, letterStates, readLetter, recipientsOf } from '#sql/mail/letters.ts';
import { eventsOfLetter, findLetter, type LetterRow, listLetters } from '#sql/mail/list.ts';
import { findBrand, listBrands } from '#sql/tenants/brands.ts';
import { findConnection } from '#sql/tenants/connections.ts';
import { checkedAddress } from '#tasks/mail/templates.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { instant } from '../ui/output.ts';
import { letterId } from './act.ts';

const LISTED_MAX = 1_000;
const COLUMNS = [
  'id',
  'brand',
  'state',
  'reached',
  'template',
  'campaign',
  'queued_at',
  'ended_at',
  'reason',
];

type Options = {
  brand?: string;
  connection?: string;
  state?: LetterState;
  campaign?: string;
  to?: string;
  limit: number;
};

export function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('list letters, the latest first, with how far each has come by what events tell')
    .option('--brand <brand>', 'only letters of this brand')
    .option('--connection <connection>', 'only letters of this connection; with --brand')
    .addOption(new Option('--state <state>', 'only letters in this state').choices(letterStates))
    .option('--campaign <name>', 'only letters of this campaign')
    .option('--to <address>', 'only letters to this recipient')
    .option(
      '--limit <number>',
      `at most so many of a brand, up to ${LISTED_MAX}`,
      wholeNumber(1, LISTED_MAX),
      50,
    )
    .action((options: Options) => list(cli, options));
}

async function list(cli: Cli, options: Options): Promise<void> {
  const { brand, connection, state, campaign, to, limit: max } = options;
  if (connection !== undefined && brand === undefined)
    throw new UsageError('Of which brand?', 'add --brand BRAND');
  const address = to === undefined ? undefined : checkedAddress(to);
  await using session = await openSession(cli);
  const { db } = session;
  const brands = brand === undefined ? await listBrands(db) : [await findBrand(db, brand)];
  const rows: (LetterRow & { brand: string })[] = [];
  for (const { id: brandId, slug } of brands) {
    const connectionId = connection && (await findConnection(db, brandId, connection)).id;
    const recipient = address && (await digestOf(cli, session, brandId, address));
    const found = await listLetters(db, { brandId, connectionId, state, campaign, recipient, max });
    rows.push(...found.map((letter) => ({ ...letter, brand: slug })));
  }
  cli.out.list(rows, COLUMNS);
}

async function digestOf(cli: Cli, session: Session, brandId: string, address: string): Promise<string> {
  const { sealer } = await keyringOf(cli, session);
  const [recipient] = await recipientsOf(session.db, sealer, brandId, [address]);
  return recipient?.hash ?? '';
}

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show a letter: its state, its recipient while that is kept, and its events')
    .argument('<id>', 'the letter', letterId)
    .option('--brand <brand>', 'brand that it belongs to')
    .action((id: string, { brand }: { brand?: string }) => show(cli, id, brand));
}

async function show(cli: Cli, id: string, brand: string | undefined): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const key = await findLetter(db, id, brand === undefined ? undefined : (await findBrand(db, brand)).id);
  const [row] = await listLetters(db, { ...key, id, max: 1 });
  const letter = await readLetter(db, key);
  if (row === undefined || letter === undefined) return;
  const { sealer } = await keyringOf(cli, session);
  const to = contentOf(sealer, letter)?.to ?? null;
  const events = await eventsOfLetter(db, key);
  cli.out.record({ ...row, to, events }, () => [
    `${row.id}  ${row.state}${row.reached ? `, ${row.reached}` : ''}`,
    `  ${row.template}${row.campaign ? ` of ${row.campaign}` : ''} by ${row.connection}`,
    `  to ${to ?? `${row.recipient_hash} (the address is not kept)`}`,
    `  queued ${instant(row.queued_at)}${row.sending_at ? `, attempt ${row.attempts} ${instant(row.sending_at)}` : ''}`,
    ...(row.reason ? [`  ${row.reason}`] : []),
    ...events.map(({ kind, happened_at }) => `  ${instant(happened_at)} ${kind}`),
  ]);
  const next = nextOf(row);
  if (next !== undefined) cli.out.say(`Next: ${next}`);
}

function nextOf({ id, state }: LetterRow): string | undefined {
  if (state === 'uncertain')
    return `npx nightshift mail retry ${id}, or mail discard ${id}, once you know whether it arrived`;
  return state === 'failed' ? `npx nightshift mail retry ${id}, once what it says is mended` : undefined;
}
